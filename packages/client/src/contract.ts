import { z } from 'zod';
import {
  consensusAnswer,
  diffAnswer,
  evaluationsAnswer,
  findingsAnswer,
  headsAnswer,
  lineageAnswer,
  membersAnswer,
  participationAnswer,
  privacyAnswer,
  proofAnswer,
  stateAnswer,
  statesAnswer,
  studyAnswer,
} from './answers.ts';

/** What somebody may ask a node for. Nobody may change anything. */
export type Role = 'operator' | 'auditor' | 'researcher' | 'radiologist';

export const roles: readonly Role[] = ['operator', 'auditor', 'researcher', 'radiologist'];

/** How a state’s weights can be had; see the specification of queries. */
export type WeightsFormat = 'payload' | 'safetensors' | 'npz' | 'onnx';

/** Each format’s media type. */
export const weightsMediaTypes: Readonly<Record<WeightsFormat, string>> = {
  payload: 'application/vnd.consilium.payload',
  safetensors: 'application/vnd.consilium.safetensors',
  npz: 'application/vnd.consilium.npz',
  onnx: 'application/vnd.consilium.onnx',
};

/**
 * Names a state: `latest`, `round:N`, or its digest.
 *
 * @see headsAt in the study package for what the state of a round is
 */
export const stateName = z
  .string()
  .regex(/^(?:latest|round:(?:0|[1-9][0-9]{0,5})|[0-9a-f]{64})$/)
  .meta({ id: 'StateName', description: '`latest`, `round:N`, or a digest' });

/** `AUTHOR:SIZE:ROOT`, one for each log. */
const headText = z.string().regex(/^[1-9A-HJ-NP-Za-km-z]{52}:[1-9][0-9]{0,9}:[0-9a-f]{64}$/);

const state = z.object({ state: stateName });

/** One thing that can be asked for. */
export interface Operation {
  /** Path with `{parameters}`; the method is always GET. */
  readonly path: string;
  readonly summary: string;
  readonly roles: readonly Role[];
  /** What stands in the path and in the query; a parameter in braces of the path is required. */
  readonly parameters: z.ZodObject;
  /** What a 200 holds: a schema of JSON, or a media type of anything else. */
  readonly answer: z.ZodType | readonly string[];
}

const everybody = roles;
const notRadiologists: readonly Role[] = ['operator', 'auditor', 'researcher'];
const nothing = z.object({});

/** All that can be asked for, by name. */
export const operations = {
  study: {
    path: '/v1/study',
    summary: 'the study: task, layout of the weights, privacy, rounds, and the site that answers',
    roles: everybody,
    parameters: nothing,
    answer: studyAnswer,
  },
  members: {
    path: '/v1/members',
    summary: 'the members: role, weight, last round, spending',
    roles: everybody,
    parameters: nothing,
    answer: membersAnswer,
  },
  states: {
    path: '/v1/states',
    summary: 'the latest state, and the states of rounds, in order',
    roles: everybody,
    parameters: z.object({
      from: z.coerce.number().int().min(0).max(100_000).optional(),
      limit: z.coerce.number().int().min(1).max(100).default(20),
    }),
    answer: statesAnswer,
  },
  stateAtHeads: {
    path: '/v1/states/at-heads',
    summary: 'the state of whoever held just these logs',
    roles: everybody,
    parameters: z.object({ head: z.array(headText).min(1).max(256) }),
    answer: stateAnswer,
  },
  state: {
    path: '/v1/states/{state}',
    summary: 'one state: heads, participation in each round, evaluations',
    roles: everybody,
    parameters: state,
    answer: stateAnswer,
  },
  lineage: {
    path: '/v1/states/{state}/lineage',
    summary: 'what a state was computed from: every update, and who is absent',
    roles: everybody,
    parameters: state,
    answer: lineageAnswer,
  },
  weights: {
    path: '/v1/states/{state}/weights',
    summary: 'a state’s weights as a file; ranges and If-None-Match are served',
    roles: notRadiologists,
    parameters: state.extend({
      format: z.enum(['payload', 'safetensors', 'npz', 'onnx']).default('payload'),
    }),
    answer: Object.values(weightsMediaTypes),
  },
  card: {
    path: '/v1/states/{state}/card',
    summary: 'a state’s model card, in Markdown',
    roles: everybody,
    parameters: state,
    answer: ['text/markdown; charset=utf-8'],
  },
  diff: {
    path: '/v1/diff',
    summary: 'which logs differ between two states, and how far apart their weights are',
    roles: everybody,
    parameters: z.object({ a: stateName, b: stateName }),
    answer: diffAnswer,
  },
  evaluations: {
    path: '/v1/evaluations',
    summary: 'what sites signed about states, on patients of their own',
    roles: everybody,
    parameters: z.object({ state: stateName.optional() }),
    answer: evaluationsAnswer,
  },
  participation: {
    path: '/v1/participation',
    summary: 'who gave which round an update, and who did not',
    roles: everybody,
    parameters: nothing,
    answer: participationAnswer,
  },
  privacy: {
    path: '/v1/privacy',
    summary: 'what is promised, and what each trainer has spent of it, recomputed',
    roles: everybody,
    parameters: nothing,
    answer: privacyAnswer,
  },
  heads: {
    path: '/v1/heads',
    summary: 'how far this node has each log',
    roles: everybody,
    parameters: nothing,
    answer: headsAnswer,
  },
  findings: {
    path: '/v1/findings',
    summary: 'rules that were broken',
    roles: everybody,
    parameters: nothing,
    answer: findingsAnswer,
  },
  consensus: {
    path: '/v1/consensus',
    summary: 'how far each member’s model was from this one when it last spoke',
    roles: everybody,
    parameters: nothing,
    answer: consensusAnswer,
  },
  proof: {
    path: '/v1/logs/{site}/proofs/{index}',
    summary: 'a record, and the proof that it is in its author’s log',
    roles: notRadiologists,
    parameters: z.object({
      site: z.string().regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/),
      index: z.coerce.number().int().min(0),
    }),
    answer: proofAnswer,
  },
  events: {
    path: '/v1/events',
    summary: 'a server-sent event for every new state',
    roles: everybody,
    parameters: nothing,
    answer: ['text/event-stream'],
  },
} as const satisfies Readonly<Record<string, Operation>>;

export type OperationName = keyof typeof operations;
export type ParametersOf<N extends OperationName> = z.infer<(typeof operations)[N]['parameters']>;
