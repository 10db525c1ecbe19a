import { approvers, changed, found, hasApprovals, type Roster } from '@consilium/study';
import { NodeError } from './error.ts';
import type { FoundingRecord } from './founding.ts';
import type { RosterFile } from './roster-file.ts';
import { changeIdOf } from './roster-view.ts';

/**
 * Refuses a change that could not apply next, whoever approves it.
 * @throws {NodeError} `ROSTER_FILE`, saying why.
 */
export function checkFits(
  { study, body }: RosterFile,
  founding: FoundingRecord,
  roster: Roster,
): void {
  if (Buffer.compare(study, founding.verified.id) !== 0) {
    throw unfit('it is for another study', 'use the site folder that has joined that study');
  }
  const previous = Buffer.from(body.previous).toString('hex');
  if (body.number !== roster.number + 1 || previous !== roster.last) {
    const behind = `the roster is at change ${roster.number}, the file is for change ${body.number}`;
    throw unfit(
      previous === roster.last ? behind : `${behind} and follows another one`,
      'wait until this site has what the proposer had, or let the change be proposed again',
    );
  }
  const after = changed(found(founding.manifest), roster, body.change, changeIdOf(study, body));
  if (typeof after === 'string') throw unfit(after, 'propose another change');
}

/** @throws {NodeError} `ROSTER_FILE` when too few have approved, or when an approval is not genuine. */
export function checkApproved({ study, body }: RosterFile, roster: Roster, needed: number): void {
  if (hasApprovals(study, body, roster)) return;
  const names = approvers(study, body, roster).map(({ name }) => name);
  const consent = body.change.kind === 'rotate' ? ' and the new key’s own' : '';
  throw unfit(
    `it needs ${needed} approvals${consent}, it has ${names.length}: ${names.join(', ') || 'nobody’s'}`,
    'let further members run `consilium roster approve` on it',
  );
}

function unfit(reason: string, hint: string): NodeError {
  return new NodeError('ROSTER_FILE', `the change cannot apply: ${reason}`, hint);
}
