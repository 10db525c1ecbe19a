import type {
  EvaluationBody,
  ReserveBody,
  SiteId,
  UpdateBody,
  VerifiedRecord,
} from '@consilium/records';
import { payloadBytes } from '@consilium/weights';
import type { Finding } from './finding.ts';
import { type Fault, SiteLedger, type Spending } from './ledger.ts';
import type { Founding } from './manifest.ts';
import type { Terms } from './roster.ts';
import type { RosterHistory } from './roster-history.ts';
import { isOf, type Speech, termsAt } from './speech.ts';

/** An update that every rule on records lets pass; its payload has still to decode. */
export interface AcceptedUpdate {
  /** The member. */
  readonly site: SiteId;
  /** The key in whose log it is, at `index`: another than `site` once the member's key was rotated. */
  readonly author: SiteId;
  readonly index: number;
  readonly round: number;
  /** SHA-256 (hex) of the payload and its size. */
  readonly payload: string;
  readonly payloadBytes: number;
  /** Digest (hex) of the state that the site says it trained from. */
  readonly base: string;
  readonly weight: number;
}

/** What a site says about a state, on patients of its own. */
export interface RecordedEvaluation {
  /** The member. */
  readonly site: SiteId;
  /** The key in whose log it is, at `index`. */
  readonly author: SiteId;
  readonly index: number;
  readonly round: number;
  /** Digest (hex) of the weights that were evaluated. */
  readonly state: string;
  readonly patients: number;
  readonly metrics: EvaluationBody['metrics'];
}

/** What follows from the records alone, payloads apart. */
export interface Decisions {
  readonly updates: readonly AcceptedUpdate[];
  readonly evaluations: readonly RecordedEvaluation[];
  /** What each member that is or was a trainer has spent; empty where the study promises no privacy. */
  readonly spending: ReadonlyMap<SiteId, Spending>;
  readonly findings: readonly Finding[];
}

/**
 * Applies the study's rules to everything that members have said. Pure; members are taken in the roster's order, each one's keys and records in theirs, so
 * equal knowledge gives equal decisions.
 */
export function decide(
  founding: Founding,
  study: Uint8Array,
  { speeches, findings }: RosterHistory,
): Decisions {
  const decisions: Taken = { updates: [], evaluations: [], spending: new Map(), findings: [] };
  for (const speech of speeches) new Judge(founding, study, speech, decisions).judge();
  decisions.findings.push(...findings);
  return decisions;
}

interface Taken extends Decisions {
  readonly updates: AcceptedUpdate[];
  readonly evaluations: RecordedEvaluation[];
  readonly spending: Map<SiteId, Spending>;
  readonly findings: Finding[];
}

/** Goes through what one member has said, in order. */
class Judge {
  readonly #founding: Founding;
  readonly #study: Uint8Array;
  readonly #speech: Speech;
  readonly #taken: Taken;
  readonly #ledger: SiteLedger | null;
  #lastRound = 0;

  constructor(founding: Founding, study: Uint8Array, speech: Speech, taken: Taken) {
    this.#founding = founding;
    this.#study = study;
    this.#speech = speech;
    this.#taken = taken;
    this.#ledger = ledgerOf(founding, speech);
  }

  judge(): void {
    const { member, voices } = this.#speech;
    for (const [i, { records, spentSteps, findings }] of voices.entries()) {
      if (i > 0) this.#ledger?.nextLog(spentSteps);
      for (const verified of records) {
        if (isOf(verified.record.study, this.#study)) {
          this.#judgeRecord(verified, termsAt(this.#speech, i, verified.record.index));
        }
      }
      this.#taken.findings.push(...findings);
    }
    if (this.#ledger !== null) this.#taken.spending.set(member.site, this.#ledger.spending);
  }

  #judgeRecord({ record }: VerifiedRecord, terms: Terms): void {
    const fault = this.#faultOf(record, terms);
    if (fault !== null) {
      this.#taken.findings.push({ ...fault, site: record.author, index: record.index });
      return;
    }
    const { site } = this.#speech.member;
    if (!record.known) return;
    if (record.kind === 'update') {
      this.#taken.updates.push(accepted(site, record, record.body, terms.weight));
      this.#lastRound = record.body.round;
    } else if (record.kind === 'evaluation') {
      this.#taken.evaluations.push(evaluated(site, record, record.body));
    }
  }

  /** Changes of the roster and rotations are the roster's own matter; so is the manifest. */
  #faultOf(record: VerifiedRecord['record'], terms: Terms): Fault | null {
    if (!record.known) {
      return {
        code: 'UNKNOWN_KIND',
        message: 'a record of a kind that this version does not know',
      };
    }
    switch (record.kind) {
      case 'reserve':
        return this.#reserveFault(record.index, record.body, terms);
      case 'update':
        return this.#updateFault(record.body, terms);
      case 'evaluation':
        return terms.role === 'observer'
          ? { code: 'NOT_AN_EVALUATOR', message: 'observers hold no patients' }
          : null;
      default:
        return null;
    }
  }

  #reserveFault(index: number, body: ReserveBody, { role }: Terms): Fault | null {
    // Who was a trainer before has spent it all the same.
    const fault = this.#ledger?.reserve(index, body) ?? null;
    if (role !== 'trainer') return { code: 'NOT_A_TRAINER', message: 'only trainers reserve' };
    if (this.#ledger !== null) return fault;
    const { profile } = this.#founding.manifest.privacy;
    const message = `a reservation, the manifest’s profile is ${profile}`;
    return { code: 'PRIVACY_PROFILE', message };
  }

  #updateFault(body: UpdateBody, { role }: Terms): Fault | null {
    const { manifest, layout } = this.#founding;
    if (role !== 'trainer')
      return { code: 'NOT_A_TRAINER', message: 'only trainers contribute updates' };
    if (body.round > manifest.rounds.count) {
      return {
        code: 'ROUND_OUT_OF_RANGE',
        message: `round ${body.round} of ${manifest.rounds.count}`,
      };
    }
    if (body.round <= this.#lastRound) {
      const message = `round ${body.round} after round ${this.#lastRound}`;
      return { code: 'ROUND_REPEATED', message };
    }
    if (!([8, 16, 32] as const).some((bits) => payloadBytes(layout, bits) === body.payload.bytes)) {
      return {
        code: 'PAYLOAD_SIZE',
        message: `${body.payload.bytes} bytes fit no width of the layout`,
      };
    }
    if (this.#ledger !== null) return this.#ledger.pay(body);
    if (body.privacy.profile === 'off') return null;
    const message = `profile ${body.privacy.profile}, the manifest says off`;
    return { code: 'PRIVACY_PROFILE', message };
  }
}

/** Null for who has never been a trainer, and where the study promises no privacy. */
function ledgerOf({ manifest, budget }: Founding, { member }: Speech): SiteLedger | null {
  const { privacy } = manifest;
  if (privacy.profile === 'off' || budget === null) return null;
  if (!member.terms.some(({ role }) => role === 'trainer')) return null;
  return new SiteLedger(privacy, budget);
}

function accepted(
  site: SiteId,
  { author, index }: Place,
  body: UpdateBody,
  weight: number,
): AcceptedUpdate {
  return {
    site,
    author,
    index,
    round: body.round,
    payload: hex(body.payload.digest),
    payloadBytes: body.payload.bytes,
    base: hex(body.base),
    weight,
  };
}

function evaluated(
  site: SiteId,
  { author, index }: Place,
  body: EvaluationBody,
): RecordedEvaluation {
  return {
    site,
    author,
    index,
    round: body.round,
    state: hex(body.state),
    patients: body.patients,
    metrics: body.metrics,
  };
}

type Place = Pick<VerifiedRecord['record'], 'author' | 'index'>;

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
