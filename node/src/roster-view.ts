import {
  type RosterChange,
  rosterChangeId,
  type SiteId,
  type VerifiedRecord,
} from '@consilium/records';
import {
  approvalsNeeded,
  type Finding,
  type Roster,
  type StudyFold,
  termsNow,
  voters,
} from '@consilium/study';

/** A study's roster of now, for people, for programs and for whoever proposes a change. */
export interface RosterView {
  /** Study id (hex). */
  readonly study: string;
  readonly roster: Roster;
  /** Members that have a say about the next change, and how many of them it needs. */
  readonly voters: readonly SiteId[];
  readonly needed: number;
  /** For each member, in the roster's order: the keys that have spoken for it, and the private steps that it has reserved. */
  readonly speech: readonly {
    readonly site: SiteId;
    readonly keys: readonly KeyView[];
    readonly isHeard: boolean;
    readonly spentSteps: number;
  }[];
  /** The changes that apply, in order. */
  readonly changes: readonly {
    readonly id: string;
    readonly number: number;
    readonly kind: RosterChange['kind'];
    /** In the words in which it was approved, one line each. */
    readonly words: readonly string[];
  }[];
  /** What was said about the roster and does not apply. */
  readonly findings: readonly Finding[];
}

export interface KeyView {
  readonly key: SiteId;
  /** Records that are here and count. */
  readonly records: number;
  /** The record with which this key itself handed on to the next one (envelope, hex); null when it did not. */
  readonly rotation: string | null;
}

/** The roster that follows from what is here; null while the manifest is not. */
export function rosterView(fold: StudyFold, study: Uint8Array): RosterView | null {
  const history = fold.roster();
  const decisions = fold.decisions();
  if (history === null || decisions === null) return null;
  const { roster, speeches, changes, findings } = history;
  return {
    study: Buffer.from(study).toString('hex'),
    roster,
    voters: voters(roster).map(({ site }) => site),
    needed: approvalsNeeded(roster),
    speech: speeches.map(({ member: { site }, voices, isOpen }) => ({
      site,
      keys: voices.map(({ key, records }, i) => ({
        key,
        records: records.length,
        rotation: rotationTo(voices[i + 1]?.key, records.at(-1)),
      })),
      isHeard: isOpen,
      spentSteps: decisions.spending.get(site)?.steps ?? 0,
    })),
    changes: changes.map(({ id, body: { number, change } }) => ({
      id,
      number,
      kind: change.kind,
      words: changeWords(change, roster),
    })),
    findings,
  };
}

function rotationTo(next: SiteId | undefined, last: VerifiedRecord | undefined): string | null {
  const record = last?.record;
  if (last === undefined || !record?.known || record.kind !== 'rotation') return null;
  return record.body.to === next ? Buffer.from(last.envelope).toString('hex') : null;
}

/** What a change would do, in words, one line each: what somebody approves must be what is told. */
export function changeWords(change: RosterChange, roster: Roster): string[] {
  switch (change.kind) {
    case 'add': {
      const { site, name, role, patients, addresses } = change.entry;
      const cohort = role === 'trainer' ? ` of ${patients} declared patients` : '';
      return [
        `ADD ${name} as ${role}${cohort}`,
        `its key is ${site}`,
        `it can be reached at ${addresses.join(', ') || 'no address: it only dials'}`,
      ];
    }
    case 'remove':
      return [
        `REMOVE ${nameOf(change.site, roster)} for good: it may not connect and nothing that it says counts any more`,
        ...endWords(change.until),
      ];
    case 'rotate':
      return [
        `GIVE ${nameOf(change.site, roster)} a new key, ${change.to}`,
        ...endWords(change.until),
        `its budget goes on from at least ${change.spentSteps} private steps`,
      ];
    case 'role': {
      const cohort = change.role === 'trainer' ? ` of ${change.patients} declared patients` : '';
      return [
        `MAKE ${nameOf(change.site, roster)} a ${change.role}${cohort}`,
        `from record ${change.from.at} of ${change.from.key} on`,
      ];
    }
    case 'cap':
      return [
        `DECLARE ${change.patients} patients for ${nameOf(change.site, roster)}`,
        `from record ${change.from.at} of ${change.from.key} on`,
      ];
  }
}

function endWords(until: readonly { key: SiteId; at: number }[]): string[] {
  return until.map(({ key, at }) => `of ${key} the first ${at} records count`);
}

/** A member as people know it: by name and by the end of its id. Names alone may be shared. */
export function nameOf(site: SiteId, { members }: Roster): string {
  const member = members.find((each) => each.site === site);
  if (member === undefined) return `an unknown site ${site}`;
  return `${member.name} (${termsNow(member).role} …${site.slice(-8)})`;
}

/** The id of a change (hex). */
export function changeIdOf(study: Uint8Array, body: Parameters<typeof rosterChangeId>[1]): string {
  const { number, previous, change } = body;
  return Buffer.from(rosterChangeId(study, { number, previous, change })).toString('hex');
}
