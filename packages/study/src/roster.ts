import type { LogPosition, RosterEntry, SiteId, SiteRole } from '@consilium/records';
import type { Founding } from './manifest.ts';

/** A key that speaks for a member, as the manifest or a change names it. */
export interface KeySpan {
  readonly key: SiteId;
  /** Its records before this index count; null while it speaks. */
  readonly until: number | null;
  /** The member's budget goes on from no fewer private steps when this key begins. */
  readonly spentSteps: number;
}

/** What a member may do with a record; of several terms the last one counts that has begun by then. */
export interface Terms {
  readonly role: SiteRole;
  readonly patients: number;
  /** How much an update counts: the patients, at most what the founding allows; 0 unless a trainer. */
  readonly weight: number;
  /** The record that they begin with; null for the log's beginning. */
  readonly from: LogPosition | null;
}

/** One member, by the manifest and the changes that apply. `site` names it for good: the first key that it had. */
export interface Member {
  readonly site: SiteId;
  readonly name: string;
  readonly addresses: readonly string[];
  /** The change that added it; 0 for a founding member. */
  readonly joinedWith: number;
  /** First to last, at least one; the last is open unless the member was removed. */
  readonly spans: readonly KeySpan[];
  /** In the order of the changes, at least one. */
  readonly terms: readonly Terms[];
}

/** Who is in the study after some number of changes. Removed members stay: what they said before still counts. */
export interface Roster {
  /** Changes that it has behind it. */
  readonly number: number;
  /** Change id (hex) of the last one; the study id before the first. */
  readonly last: string;
  readonly members: readonly Member[];
}

/** The roster of the manifest. */
export function foundingRoster({ manifest, weightCap }: Founding, study: Uint8Array): Roster {
  return {
    number: 0,
    last: Buffer.from(study).toString('hex'),
    members: manifest.roster.map((entry) => newMember(entry, 0, weightCap)),
  };
}

export function newMember(entry: RosterEntry, joinedWith: number, weightCap: number): Member {
  const { site, name, role, patients, addresses } = entry;
  return {
    site,
    name,
    addresses,
    joinedWith,
    spans: [{ key: site, until: null, spentSteps: 0 }],
    terms: [{ role, patients, weight: weightFor(role, patients, weightCap), from: null }],
  };
}

export function weightFor(role: SiteRole, patients: number, weightCap: number): number {
  return role === 'trainer' ? Math.min(patients, weightCap) : 0;
}

/** The terms of now. */
export function termsNow({ terms }: Pick<Member, 'terms'>): Terms {
  return terms.at(-1) as Terms;
}

/** The key that the roster names as speaking; null for a removed member. It may have handed on to another one by itself. */
export function openKey({ spans }: Pick<Member, 'spans'>): SiteId | null {
  const last = spans.at(-1) as KeySpan;
  return last.until === null ? last.key : null;
}

export function isRemoved(member: Pick<Member, 'spans'>): boolean {
  return openKey(member) === null;
}

/** Who has a say about the next change: trainers and validators that were not removed. */
export function voters({ members }: Roster): Member[] {
  return members.filter((member) => !isRemoved(member) && termsNow(member).role !== 'observer');
}

/** How many of them a change needs: more than half. */
export function approvalsNeeded(roster: Roster): number {
  return Math.floor(voters(roster).length / 2) + 1;
}

/** Every key that the manifest or a change has named. None of them may be named again. */
export function namedKeys({ members }: Roster): Set<SiteId> {
  return new Set(members.flatMap(({ spans }) => spans.map(({ key }) => key)));
}

/** Records of one member that count, over all its keys: several times what an honest one has to say, and the changes that it repeats. */
export function recordLimit({ recordLimit: founded }: Founding, { number }: Roster): number {
  return founded + number;
}
