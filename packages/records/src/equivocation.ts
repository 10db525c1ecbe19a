import { bytes, type Check, list, object, someBytes } from './schema.ts';
import type { SiteId } from './site-id.ts';
import { siteId } from './site-id-check.ts';

/**
 * Two checkpoints of one log that cannot both be true, and the hashes that show it: what the log package calls a contradiction. Complete in itself, so that
 * whose log carries it means nothing.
 */
export interface EquivocationBody {
  /** The key that signed both checkpoints. */
  readonly site: SiteId;
  /** Note of the checkpoint of the smaller tree, with the site's signature; 1…1,024 bytes. */
  readonly smaller: Uint8Array;
  readonly larger: Uint8Array;
  /** Root of the larger tree's first leaves, as many as the smaller one has; 32 bytes. */
  readonly root: Uint8Array;
  /** Consistency proof from there to the larger tree, at most 63 hashes of 32 bytes. */
  readonly proof: readonly Uint8Array[];
}

/** A checkpoint's note with one signature takes less than half of this. */
export const MAX_EVIDENCE_NOTE_BYTES: number = 1_024;
const MAX_EVIDENCE_HASHES = 63;

const note = someBytes(MAX_EVIDENCE_NOTE_BYTES);

/** Checks an equivocation's body; whether it proves anything is the study's to tell. @throws {RecordError} `SCHEMA`, `SITE_ID`. */
export const equivocationBody: Check<EquivocationBody> = object({
  site: siteId,
  smaller: note,
  larger: note,
  root: bytes(32),
  proof: list(bytes(32), 0, MAX_EVIDENCE_HASHES),
});
