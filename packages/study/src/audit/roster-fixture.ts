import {
  approveRosterChange,
  consentToRotation,
  type ProposedChange,
  type RosterChange,
  rosterChangeId,
} from '@consilium/records';
import type { AuditStudy } from './audit-fixture.ts';

/** For tests: site 0 says a change of the roster that `approvers` have approved. Returns the change, for the next one to follow. */
export async function changeRoster(
  study: AuditStudy,
  change: RosterChange,
  approvers: readonly number[],
  after: ProposedChange | null = null,
): Promise<ProposedChange> {
  const previous = after === null ? study.study : rosterChangeId(study.study, after);
  const proposed = { number: (after?.number ?? 0) + 1, previous, change };
  const approvals = approvers
    .map((site) => approveRosterChange(study.key(site), study.study, proposed))
    .sort((a, b) => (a.site < b.site ? -1 : 1));
  const { heads } = await study.state(0);
  study.say(0, { kind: 'roster-change', body: { ...proposed, approvals } }, heads);
  await study.syncAll();
  return proposed;
}

/** For tests: a site’s key hands on to another one of the study’s keys. */
export async function handOn(study: AuditStudy, from: number, to: number): Promise<void> {
  const index = study.size(from);
  const place = { study: study.study, from: study.key(from).id, index, to: study.key(to).id };
  const { heads } = await study.state(from);
  const body = consentToRotation(study.key(to), place);
  study.say(from, { kind: 'rotation', body }, heads);
}
