import { type Contradiction, contradictedSize } from '@consilium/log';
import type { EquivocationBody, SiteId, VerifiedRecord } from '@consilium/records';
import { logKeyOf, verifyNote } from './log-name.ts';
import { isOf } from './speech.ts';

/** A site that signed checkpoints of two logs, as one record shows it. */
export interface Accusation {
  /** Who did. */
  readonly site: SiteId;
  /** Index of its log from which on nothing that it said counts. */
  readonly index: number;
  readonly body: EquivocationBody;
  /** The record that shows it, in whoever's log. */
  readonly carrier: VerifiedRecord;
}

/**
 * What a record proves against a site; null when it proves nothing.
 *
 * A record names the one before it. So where two logs of n records have different roots, their records at n − 1 differ at the latest, and the site has
 * committed itself to two different things at that index: a fork, of which only the checkpoints are known.
 *
 * An honest site can never be accused: it signs one checkpoint of a size, and each of them grew from the one before.
 */
export function accusationIn(carrier: VerifiedRecord, study: Uint8Array): Accusation | null {
  const { record } = carrier;
  if (!record.known || record.kind !== 'equivocation' || !isOf(record.study, study)) return null;
  const { body } = record;
  const size = contradictedSize(
    body satisfies Contradiction,
    logKeyOf(study, body.site),
    verifyNote,
  );
  return size === undefined ? null : { site: body.site, index: size - 1, body, carrier };
}
