import { checkPolicy, PrivacyError } from '@consilium/privacy';
import type { LogPosition, RosterChange, SiteId } from '@consilium/records';
import { type Founding, largestTotal } from './manifest.ts';
import {
  isRemoved,
  type Member,
  namedKeys,
  newMember,
  openKey,
  type Roster,
  termsNow,
  voters,
  weightFor,
} from './roster.ts';

/** Members of a study at one time, and over all its time. */
const mostMembers = 256;
const mostMembersEver = 1_024;

/**
 * The roster after one more change, or the rule that the change breaks. Whether enough members want it is another question.
 *
 * @param id the change's id (hex)
 */
export function changed(
  founding: Founding,
  roster: Roster,
  change: RosterChange,
  id: string,
): Roster | string {
  const number = roster.number + 1;
  const members = membersAfter(founding, roster, change, number);
  if (typeof members === 'string') return members;
  const after = { number, last: id, members };
  return brokenPromise(founding, after) ?? after;
}

function membersAfter(
  founding: Founding,
  roster: Roster,
  change: RosterChange,
  number: number,
): readonly Member[] | string {
  const named = namedKeys(roster);
  if (change.kind === 'add') {
    const { entry } = change;
    if (named.has(entry.site)) return `${entry.site} is or was a key of a member`;
    const broken = brokenByCohort(founding, entry.role, entry.patients);
    return broken ?? [...roster.members, newMember(entry, number, founding.weightCap)];
  }
  const member = roster.members.find(({ site }) => site === change.site);
  if (member === undefined) return `${change.site} names no member`;
  if (isRemoved(member)) return `${member.name} was removed`;
  const next = memberAfter(founding, member, change, named);
  if (typeof next === 'string') return next;
  return roster.members.map((other) => (other === member ? next : other));
}

function memberAfter(
  founding: Founding,
  member: Member,
  change: Exclude<RosterChange, { kind: 'add' }>,
  named: ReadonlySet<SiteId>,
): Member | string {
  switch (change.kind) {
    case 'remove':
      return ended(member, change.until, named);
    case 'rotate': {
      const { to, until, spentSteps } = change;
      if (named.has(to)) return `${to} is or was a key of a member`;
      if (until.some(({ key }) => key === to)) return `${to} ends with this change`;
      const before = ended(member, until, named);
      if (typeof before === 'string') return before;
      return { ...before, spans: [...before.spans, { key: to, until: null, spentSteps }] };
    }
    case 'role':
    case 'cap': {
      const role = change.kind === 'cap' ? termsNow(member).role : change.role;
      if (change.kind === 'cap' && role !== 'trainer') return `${member.name} is no trainer`;
      const { patients, from } = change;
      const broken = brokenByCohort(founding, role, patients);
      if (broken !== null) return broken;
      const weight = weightFor(role, patients, founding.weightCap);
      return { ...member, terms: [...member.terms, { role, patients, weight, from }] };
    }
  }
}

/** The member with its open key, and those that this one handed on to, brought to an end. */
function ended(
  member: Member,
  until: readonly LogPosition[],
  named: ReadonlySet<SiteId>,
): Member | string {
  const [first, ...later] = until;
  const key = openKey(member);
  if (first?.key !== key) return `the key that speaks for ${member.name} is ${key}`;
  const taken = later.find((position) => named.has(position.key));
  if (taken !== undefined) return `${taken.key} is or was a key of a member`;
  const closed = until.map((end) => ({ key: end.key, until: end.at, spentSteps: 0 }));
  const opened = member.spans.at(-1)?.spentSteps ?? 0;
  const spans = closed.map((span, i) => (i === 0 ? { ...span, spentSteps: opened } : span));
  return { ...member, spans: [...member.spans.slice(0, -1), ...spans] };
}

/** Each trainer's patients were promised the study's δ: more of them than it allows would make the promise void. Fewer only meet more noise. */
function brokenByCohort(
  { manifest: { privacy } }: Founding,
  role: string,
  patients: number,
): string | null {
  if (role !== 'trainer' || privacy.profile === 'off') return null;
  try {
    checkPolicy(privacy, [patients]);
    return null;
  } catch (error) {
    if (!(error instanceof PrivacyError)) throw error;
    return `${patients} patients: ${error.message}`;
  }
}

/** What a study promises as long as it runs: rounds that can end, somebody who may change the roster, and exact means. */
function brokenPromise({ manifest: { rounds } }: Founding, roster: Roster): string | null {
  const present = roster.members.filter((member) => !isRemoved(member));
  const trainers = present.filter((member) => termsNow(member).role === 'trainer').length;
  if (trainers < rounds.quorum) {
    return `${trainers} trainers would be left, a round needs ${rounds.quorum}`;
  }
  if (voters(roster).length === 0) return 'nobody would be left to change the roster';
  if (present.length > mostMembers) return `more than ${mostMembers} members`;
  if (roster.members.length > mostMembersEver) return `more than ${mostMembersEver} members ever`;
  const total = roster.members.reduce(
    (sum, { terms }) => sum + Math.max(...terms.map(({ weight }) => weight)),
    0,
  );
  return total > largestTotal ? `cohorts sum to ${total}, at most ${largestTotal}` : null;
}
