import { type BlobReference, blobReference, privacy } from './manifest.ts';
import { bytes, type Check, integer, object } from './schema.ts';

/** A site's contribution to one round; the change of the weights itself is the payload blob. */
export interface UpdateBody {
  /** From 1. */
  readonly round: number;
  /** SHA-256 of the state's weights that it was trained from. */
  readonly base: Uint8Array;
  readonly payload: BlobReference;
  /** Training steps taken, 1…10^9. */
  readonly steps: number;
  readonly privacy: { readonly profile: 'off' };
}

/** Checks an update's body. @throws {RecordError} `SCHEMA`. */
export const updateBody: Check<UpdateBody> = object({
  round: integer(1, 100_000),
  base: bytes(32),
  payload: blobReference,
  steps: integer(1, 1_000_000_000),
  privacy,
});
