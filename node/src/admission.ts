import { openRecord, type SiteId } from '@consilium/records';
import { NodeError } from './error.ts';
import type { OwnLog } from './own-log.ts';

/**
 * Which entries a site takes into its logs: those of members, as many of each as the study can need, those of removed members and of earlier keys as far
 * as they count, and of its own only what it is known to have said. What somebody signs beyond that would only fill everybody's disk and memory.
 *
 * @param wanted how many records of an author's log can count; 0 for a stranger's
 * @throws {NodeError} `NOT_ADMITTED`, `ROLLED_BACK` from the returned function. @throws {RecordError} from there for bytes that are no record.
 */
export function admissionOf(
  wanted: (author: SiteId) => number,
  ownLog: Pick<OwnLog, 'admit'>,
): (entry: Uint8Array) => void {
  return (entry) => {
    const { author, index } = openRecord(entry).record;
    const most = wanted(author);
    if (most === 0) {
      throw new NodeError(
        'NOT_ADMITTED',
        `${author} is not in the roster`,
        'only members are heard',
      );
    }
    if (index >= most) {
      throw new NodeError(
        'NOT_ADMITTED',
        `of ${author} no more than ${most} records count`,
        'ask its operator what its node is doing; after a removal or a rotation this is how it should be',
      );
    }
    ownLog.admit(entry);
  };
}
