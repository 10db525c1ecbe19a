import { openRecord } from '@consilium/records';
import type { Founding } from '@consilium/study';
import { NodeError } from './error.ts';

/**
 * Which entries of others a site takes into its logs: those of members, as many of each as the study can need. What a member signs
 * beyond that would only fill everybody's disk and memory.
 *
 * @throws {NodeError} `NOT_ADMITTED` from the returned function. @throws {RecordError} from there for bytes that are no record.
 */
export function admissionOf({ manifest, recordLimit }: Founding): (entry: Uint8Array) => void {
  const members = new Set(manifest.roster.map(({ site }) => site));
  return (entry) => {
    const { author, index } = openRecord(entry).record;
    if (!members.has(author)) {
      throw new NodeError(
        'NOT_ADMITTED',
        `${author} is not in the roster`,
        'only members are heard',
      );
    }
    if (index >= recordLimit) {
      throw new NodeError(
        'NOT_ADMITTED',
        `${author} says more than ${recordLimit} things`,
        'ask its operator what its node is doing',
      );
    }
  };
}
