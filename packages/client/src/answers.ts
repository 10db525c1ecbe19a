import { z } from 'zod';

// What a node answers, one schema an answer. Fields that a later version adds are passed over by an earlier client.

const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ id: 'Digest', description: 'SHA-256 in lower-case hexadecimal digits' });
const siteId = z
  .string()
  .regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/)
  .meta({ id: 'SiteId', description: 'the PeerId of a site’s Ed25519 key' });
const round = z.int().min(0).max(100_000);
const count = z.int().min(0);
const role = z.enum(['trainer', 'validator', 'observer']);

/** A site, with its name for people. */
const named = z.object({ site: siteId, name: z.string() }).meta({ id: 'NamedSite' });

const head = z
  .object({ author: siteId, size: z.int().min(1), root: digest })
  .meta({ id: 'Head', description: 'how long a log is, and the RFC 6962 root over it' });

/** A trainer’s spending of its patients’ privacy, recomputed from its log. */
const spending = z.object({
  steps: count,
  epsilon: z.number().min(0),
  unused: count,
  isExhausted: z.boolean(),
});

const privacyPromise = z
  .object({
    profile: z.string(),
    meaning: z.string(),
    policy: z.looseObject({ epsilon: z.number(), delta: z.number() }).nullable(),
  })
  .meta({ id: 'PrivacyPromise', description: 'what the study promises each patient, in words' });

export const studyAnswer = z.object({
  study: z.object({ id: digest, name: z.string() }),
  site: z.object({ id: siteId, name: z.string(), role }),
  task: z.record(z.string(), z.unknown()),
  layout: z.array(z.object({ name: z.string(), shape: z.array(z.int().min(1)) })),
  gridExponent: z.int().min(-60).max(0),
  rounds: z.object({ count: round, deadlineSeconds: count, quorum: count }),
  aggregation: z.object({ rule: z.string() }),
  witnesses: z.object({ quorum: count }),
  privacy: privacyPromise,
  minimumCohort: count,
  intendedUse: z.string(),
});

export const membersAnswer = z.object({
  members: z.array(
    named.extend({
      role,
      patients: count.meta({ description: 'declared and rounded; 0 unless a trainer' }),
      weight: count,
      lastRound: round,
      logSize: count,
      keys: z
        .array(siteId)
        .meta({ description: 'the keys that have spoken for it, first to last' }),
      isRemoved: z.boolean(),
      connected: z.boolean().nullable(),
      spending: spending.nullable(),
    }),
  ),
});

const participationOfRound = z
  .object({
    round,
    given: z.array(named.extend({ counted: z.boolean() })),
    absent: z.array(named),
  })
  .meta({ id: 'Participation', description: 'who gave a round an update, and who did not' });

export const participationAnswer = z.object({
  count: round,
  settled: round,
  rounds: z.array(participationOfRound),
});

const stateOutline = z
  .object({
    digest,
    names: z.array(z.string()).meta({ description: '`latest`, `round:N`, or both' }),
    rounds: round.meta({ description: 'the last round that anybody gave an update for' }),
    isComplete: z.boolean(),
    heads: z.array(head),
    absent: z.array(named).meta({ description: 'who is absent from its last round' }),
  })
  .meta({ id: 'StateOutline' });

export const statesAnswer = z.object({
  latest: stateOutline,
  from: round,
  states: z.array(stateOutline),
});

const metric = z.object({
  name: z.string(),
  value: z.number(),
  low: z.number().nullable(),
  high: z.number().nullable(),
});

const evaluationCell = named
  .extend({
    role,
    state: digest,
    round,
    index: count,
    isSuppressed: z.boolean(),
    patients: count.nullable(),
    metrics: z.array(metric),
  })
  .meta({
    id: 'EvaluationCell',
    description:
      'what a site signed about a state; without figures where fewer patients stand behind them than the minimum cohort',
  });

export const evaluationsAnswer = z.object({
  minimumCohort: count,
  cells: z.array(evaluationCell),
});

export const stateAnswer = stateOutline.extend({
  study: digest,
  gridExponent: z.int().min(-60).max(0),
  missing: z.array(named.extend({ round, payload: digest, bytes: count })),
  participation: z.array(participationOfRound),
  evaluations: z.array(evaluationCell),
});

export const lineageAnswer = z.object({
  study: digest,
  digest,
  initialWeights: digest,
  heads: z.array(head),
  contributors: z.array(named.extend({ weight: count, rounds: z.array(round) })),
  rounds: z.array(
    z.object({
      round,
      updates: z.array(
        named.extend({
          index: count,
          payload: digest,
          bytes: count,
          base: digest,
          weight: count,
          counted: z.boolean(),
        }),
      ),
      absent: z.array(named),
    }),
  ),
});

export const privacyAnswer = z.object({
  privacy: privacyPromise,
  sites: z.array(named.extend({ spending })),
});

export const headsAnswer = z.object({ heads: z.array(head) });

export const findingsAnswer = z.object({
  findings: z.array(
    z.object({
      code: z.string(),
      site: siteId.nullable(),
      index: count.nullable(),
      message: z.string(),
    }),
  ),
});

const distance = z.number().min(0).max(2).meta({
  id: 'Distance',
  description: 'L2 norm of the difference of two states’ weights ÷ the larger of their norms',
});

export const consensusAnswer = z.object({
  state: digest,
  members: z.array(
    named.extend({
      heads: z.array(head).nullable(),
      state: digest.nullable(),
      distance: distance.nullable(),
      claimed: digest.nullable(),
    }),
  ),
  largest: distance.nullable(),
});

export const diffAnswer = z.object({
  a: stateOutline,
  b: stateOutline,
  isSame: z.boolean(),
  distance,
  logs: z.array(named.extend({ sizeA: count, sizeB: count })),
});

export const proofAnswer = z.object({
  site: siteId,
  index: count,
  envelope: z.base64().meta({ description: 'the record, signed by its author' }),
  size: z.int().min(1),
  root: digest,
  inclusion: z.array(digest).max(63),
  tlogProof: z.string().nullable().meta({
    description: 'c2sp.org/tlog-proof@v1 with the latest checkpoint; null before there is one',
  }),
});

export const stateEvent = z
  .object({ sequence: count, digest, rounds: round, isComplete: z.boolean() })
  .meta({ id: 'StateEvent' });

/** RFC 9457. */
export const problemAnswer = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    code: z.string(),
  })
  .meta({ id: 'Problem' });

export type StudyAnswer = z.infer<typeof studyAnswer>;
export type MembersAnswer = z.infer<typeof membersAnswer>;
export type ParticipationAnswer = z.infer<typeof participationAnswer>;
export type StateOutline = z.infer<typeof stateOutline>;
export type StatesAnswer = z.infer<typeof statesAnswer>;
export type StateAnswer = z.infer<typeof stateAnswer>;
export type LineageAnswer = z.infer<typeof lineageAnswer>;
export type EvaluationCell = z.infer<typeof evaluationCell>;
export type EvaluationsAnswer = z.infer<typeof evaluationsAnswer>;
export type PrivacyAnswer = z.infer<typeof privacyAnswer>;
export type HeadsAnswer = z.infer<typeof headsAnswer>;
export type FindingsAnswer = z.infer<typeof findingsAnswer>;
export type ConsensusAnswer = z.infer<typeof consensusAnswer>;
export type DiffAnswer = z.infer<typeof diffAnswer>;
export type ProofAnswer = z.infer<typeof proofAnswer>;
export type StateEvent = z.infer<typeof stateEvent>;
export type Problem = z.infer<typeof problemAnswer>;
