import type { WitnessPolicy } from '@consilium/log';
import type { SiteId } from '@consilium/records';
import type { z } from 'zod';
import {
  type ConsensusAnswer,
  type DiffAnswer,
  type EvaluationsAnswer,
  type FindingsAnswer,
  type HeadsAnswer,
  type LineageAnswer,
  type MembersAnswer,
  type ParticipationAnswer,
  type PrivacyAnswer,
  proofAnswer,
  type StateAnswer,
  type StateEvent,
  type StatesAnswer,
  type StudyAnswer,
} from './answers.ts';
import { operations, type WeightsFormat } from './contract.ts';
import { type Download, type DownloadOptions, download } from './download.ts';
import {
  type AskOptions,
  askJson,
  askText,
  type ClientComponents,
  type NodeAddress,
} from './exchange.ts';
import { type ProvenRecord, verifyRecordProof } from './record-proof.ts';
import { stateEvents } from './state-events.ts';
import { readWeights, type StateWeights } from './state-weights.ts';

/** `latest`, `round:N`, or a digest. */
export type StateName = string;

/**
 * Asks one node. Every answer is checked before it is returned: signed by the expected site, for this question, of the contract's form. Everything throws
 * {@link ClientError}, and the signal's reason when that aborts.
 */
export interface Client {
  study(options?: AskOptions): Promise<StudyAnswer>;
  members(options?: AskOptions): Promise<MembersAnswer>;
  /** The latest state and, in order, those of at most `limit` rounds from `from` on; by default the last ones. */
  states(
    page?: { readonly from?: number; readonly limit?: number },
    options?: AskOptions,
  ): Promise<StatesAnswer>;
  state(state: StateName, options?: AskOptions): Promise<StateAnswer>;
  stateAtHeads(heads: StateAnswer['heads'], options?: AskOptions): Promise<StateAnswer>;
  lineage(state: StateName, options?: AskOptions): Promise<LineageAnswer>;
  evaluations(state?: StateName, options?: AskOptions): Promise<EvaluationsAnswer>;
  participation(options?: AskOptions): Promise<ParticipationAnswer>;
  privacy(options?: AskOptions): Promise<PrivacyAnswer>;
  heads(options?: AskOptions): Promise<HeadsAnswer>;
  findings(options?: AskOptions): Promise<FindingsAnswer>;
  consensus(options?: AskOptions): Promise<ConsensusAnswer>;
  diff(a: StateName, b: StateName, options?: AskOptions): Promise<DiffAnswer>;
  /** A state's model card, Markdown. */
  card(state: StateName, options?: AskOptions): Promise<string>;
  /** A state's weights in a format for others. The node vouches for the file; only `weights` can be checked against a state's digest. */
  file(state: StateName, format: WeightsFormat, options?: DownloadOptions): Promise<Download>;
  /** A state's weights, recomputed to the digest that names it; `latest` and `round:N` are looked up first. */
  weights(state: StateName, options?: DownloadOptions): Promise<StateWeights>;
  /** A record with the proof that it is in its author's log, checked against keys that the caller believes. */
  proof(
    site: SiteId,
    index: number,
    policy: WitnessPolicy,
    options?: AskOptions,
  ): Promise<ProvenRecord>;
  /** The state that the node has, and every new one, until the signal aborts. */
  events(options?: AskOptions): AsyncGenerator<StateEvent>;
}

/** @throws {RangeError} when the address is not an origin of http or https. */
export function createClient(components: ClientComponents, node: NodeAddress): Client {
  const url = URL.parse(node.address);
  if (url === null || !/^https?:$/.test(url.protocol) || url.origin !== node.address) {
    throw new RangeError('a node’s address is http://host:port or https://host, and no more');
  }
  const ask = <S extends z.ZodType>(
    operation: { readonly path: string; readonly answer: S },
    parameters: Parameters,
    options: AskOptions = {},
  ): Promise<z.infer<S>> =>
    askJson(components, node, targetOf(operation.path, parameters), operation.answer, options);
  const file = (
    state: StateName,
    format: WeightsFormat,
    options: DownloadOptions = {},
  ): Promise<Download> =>
    download(components, node, targetOf(operations.weights.path, { state, format }), options);

  return {
    study: (options) => ask(operations.study, {}, options),
    members: (options) => ask(operations.members, {}, options),
    states: (page = {}, options) => ask(operations.states, page, options),
    state: (state, options) => ask(operations.state, { state }, options),
    stateAtHeads: (heads, options) =>
      ask(
        operations.stateAtHeads,
        { head: heads.map(({ author, size, root }) => `${author}:${size}:${root}`) },
        options,
      ),
    lineage: (state, options) => ask(operations.lineage, { state }, options),
    evaluations: (state, options) => ask(operations.evaluations, { state }, options),
    participation: (options) => ask(operations.participation, {}, options),
    privacy: (options) => ask(operations.privacy, {}, options),
    heads: (options) => ask(operations.heads, {}, options),
    findings: (options) => ask(operations.findings, {}, options),
    consensus: (options) => ask(operations.consensus, {}, options),
    diff: (a, b, options) => ask(operations.diff, { a, b }, options),
    card: (state, { signal } = {}) =>
      askText(components, node, targetOf(operations.card.path, { state }), 'text/markdown', {
        signal,
      }),
    file,
    weights: async (state, options = {}) => {
      const { signal } = options;
      const asked = signal === undefined ? {} : { signal };
      const study = await ask(operations.study, {}, asked);
      const digest = /^[0-9a-f]{64}$/.test(state)
        ? state
        : (await ask(operations.state, { state }, asked)).digest;
      const { bytes } = await file(digest, 'payload', options);
      return readWeights(digest, study, bytes);
    },
    proof: async (site, index, policy, options = {}) => {
      const target = targetOf(operations.proof.path, { site, index });
      const answer = await askJson(components, node, target, proofAnswer, options);
      return verifyRecordProof(answer, { site, index }, policy);
    },
    events: (options) => stateEvents(components, node, options),
  };
}

type Parameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** A path with its parameters filled in; those that it does not name become the query. */
function targetOf(path: string, parameters: Parameters): string {
  const query = new URLSearchParams();
  let target = path;
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    if (path.includes(`{${name}}`)) {
      target = target.replace(`{${name}}`, encodeURIComponent(String(value)));
    } else {
      for (const each of Array.isArray(value) ? value : [value]) query.append(name, String(each));
    }
  }
  return query.size === 0 ? target : `${target}?${query}`;
}
