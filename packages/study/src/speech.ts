import { isConsented, type SiteId, type VerifiedRecord } from '@consilium/records';
import type { SiteChain } from './chain.ts';
import type { Finding } from './finding.ts';
import { type KeySpan, type Member, namedKeys, type Roster, type Terms } from './roster.ts';

/** What counts of one key's log. */
export interface Voice {
  readonly key: SiteId;
  readonly records: readonly VerifiedRecord[];
  /** How many records of this log could count at most, whatever comes. */
  readonly most: number;
  /** The member's budget goes on from no fewer private steps here. */
  readonly spentSteps: number;
  /** What ends or limits it against the rules. */
  readonly findings: readonly Finding[];
}

/** What counts of one member: the logs of its keys, one after the other, as if they were one. */
export interface Speech {
  readonly member: Member;
  /** First to last, at least one. */
  readonly voices: readonly Voice[];
  /** Whether anything that it says from now on can count: false when it was removed, or when a broken log or the limit has ended its speech. */
  readonly isOpen: boolean;
}

/**
 * What every member of a roster has said that counts, in the roster's order.
 *
 * A key that a change of the roster ended counts up to where it says, whatever else it signed. The open one counts up to its own rotation, with which
 * another key takes over from its index 0. A key begins to count when the one before it has been heard to its end.
 *
 * @param limit records of one member that count, over all its keys
 */
export function speechOf(
  roster: Roster,
  study: Uint8Array,
  chains: ReadonlyMap<SiteId, SiteChain>,
  limit: number,
): Speech[] {
  const taken = namedKeys(roster);
  return roster.members.map((member) => {
    const speaker = new Speaker(study, chains, limit, taken);
    for (const span of member.spans) speaker.hear(span);
    return { member, voices: speaker.voices, isOpen: speaker.isOpen };
  });
}

/** Hears one member's keys in turn. */
class Speaker {
  readonly voices: Voice[] = [];
  isOpen = false;
  readonly #study: Uint8Array;
  readonly #chains: ReadonlyMap<SiteId, SiteChain>;
  readonly #limit: number;
  /** Keys that no rotation may hand on to. */
  readonly #taken: Set<SiteId>;
  #left: number;
  /** Whether a key is still waited for: then nothing after it counts. */
  #isWaiting = false;

  constructor(
    study: Uint8Array,
    chains: ReadonlyMap<SiteId, SiteChain>,
    limit: number,
    taken: Set<SiteId>,
  ) {
    this.#study = study;
    this.#chains = chains;
    this.#limit = limit;
    this.#left = limit;
    this.#taken = taken;
  }

  hear({ key, until, spentSteps }: KeySpan): void {
    if (until === null) this.#hearOpen(key, spentSteps);
    else this.#hearEnded(key, until, spentSteps);
  }

  #hearEnded(key: SiteId, until: number, spentSteps: number): void {
    const { records, finding } = this.#prefix(key);
    const heard = records.slice(0, until);
    // What a fork has cut away will never come: the next key does not wait for it.
    const isCut = finding !== null && records.length < until;
    this.#take(key, heard, until, spentSteps, isCut ? [finding] : []);
    this.#isWaiting ||= heard.length < until && !isCut;
  }

  #hearOpen(first: SiteId, spentSteps: number): void {
    for (let key: SiteId | null = first, steps = spentSteps; key !== null; steps = 0) {
      const { records, finding } = this.#prefix(key);
      const counted = this.#isWaiting ? [] : records.slice(0, this.#left);
      const { end, to, findings } = this.#rotationIn(counted);
      if (to !== null) {
        this.#take(key, records.slice(0, end), end, steps, findings);
        this.#taken.add(to);
      } else {
        const all = finding === null ? findings : [...findings, finding];
        this.isOpen = finding === null && records.length < this.#left;
        this.#take(key, records, this.#left, steps, all);
      }
      key = to;
    }
  }

  /** The first rotation that hands on, and what is wrong with those before it. None does while an earlier key is waited for. */
  #rotationIn(records: readonly VerifiedRecord[]): {
    end: number;
    to: SiteId | null;
    findings: Finding[];
  } {
    const findings: Finding[] = [];
    for (const [i, verified] of records.entries()) {
      const { record } = verified;
      if (!record.known || record.kind !== 'rotation' || !isOf(record.study, this.#study)) continue;
      const { to } = record.body;
      const fault = this.#taken.has(to)
        ? `${to} is or was a key of a member`
        : hasConsent(verified)
          ? null
          : `${to} has not consented`;
      if (fault === null) return { end: i + 1, to, findings };
      findings.push({ code: 'ROSTER_RULE', site: record.author, index: i, message: fault });
    }
    return { end: records.length, to: null, findings };
  }

  #take(
    key: SiteId,
    records: readonly VerifiedRecord[],
    until: number,
    spentSteps: number,
    findings: readonly Finding[],
  ): void {
    const most = Math.min(until, this.#left);
    const counted = this.#isWaiting ? [] : records.slice(0, this.#left);
    const isTooLong = !this.#isWaiting && records.length > this.#left;
    this.#left -= counted.length;
    const tooLong: Finding = {
      code: 'LOG_TOO_LONG',
      site: key,
      index: counted.length,
      message: `records beyond the first ${this.#limit} do not count`,
    };
    this.voices.push({
      key,
      records: counted,
      most,
      spentSteps,
      findings: isTooLong ? [tooLong, ...findings] : findings,
    });
  }

  #prefix(key: SiteId): { records: readonly VerifiedRecord[]; finding: Finding | null } {
    return this.#chains.get(key)?.prefix() ?? { records: [], finding: null };
  }
}

/** Signatures are checked once for each record. */
const consents = new WeakMap<VerifiedRecord, boolean>();

/** Whether the key that a rotation names has signed that it takes over just here. False for any other record. */
export function hasConsent(verified: VerifiedRecord): boolean {
  const { record } = verified;
  if (!record.known || record.kind !== 'rotation' || record.study === null) return false;
  let consented = consents.get(verified);
  if (consented === undefined) {
    const { study, author, index, body } = record;
    consented = isConsented(body, { study, from: author, index });
    consents.set(verified, consented);
  }
  return consented;
}

/** How many records of each key's log count, by key. */
export function countedOf(speeches: readonly Speech[]): Map<SiteId, number> {
  return new Map(
    speeches.flatMap(({ voices }) => voices.map(({ key, records }) => [key, records.length])),
  );
}

/** The terms under which a member said the record at `index` of the log of its `voice`-th key. */
export function termsAt({ member, voices }: Speech, voice: number, index: number): Terms {
  const isBegun = ({ from }: Terms): boolean => {
    if (from === null) return true;
    const at = voices.findIndex(({ key }) => key === from.key);
    return at >= 0 && (at < voice || (at === voice && from.at <= index));
  };
  return member.terms.findLast(isBegun) as Terms;
}

export function isOf(recordStudy: Uint8Array | null, study: Uint8Array): boolean {
  return recordStudy !== null && Buffer.compare(recordStudy, study) === 0;
}
