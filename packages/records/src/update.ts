import { type BlobReference, blobReference } from './manifest.ts';
import { isOff, type NoPrivacy, type PrivateProfile, privateProfile } from './privacy-policy.ts';
import { bytes, type Check, integer, object, oneOf } from './schema.ts';

/** An update whose training was paid for by a reservation: the index of that record in the author's own log. */
export interface PaidPrivacy {
  readonly profile: PrivateProfile;
  readonly reserve: number;
}

/** A site's contribution to one round; the change of the weights itself is the payload blob. */
export interface UpdateBody {
  /** From 1. */
  readonly round: number;
  /** SHA-256 of the state's weights that it was trained from. */
  readonly base: Uint8Array;
  readonly payload: BlobReference;
  /** Training steps taken, 1…10^9. */
  readonly steps: number;
  readonly privacy: NoPrivacy | PaidPrivacy;
}

const off: Check<NoPrivacy> = object({ profile: oneOf('off') });
const paid: Check<PaidPrivacy> = object({
  profile: privateProfile,
  reserve: integer(0, 2 ** 32 - 1),
});

/** Checks an update's body. @throws {RecordError} `SCHEMA`. */
export const updateBody: Check<UpdateBody> = object({
  round: integer(1, 100_000),
  base: bytes(32),
  payload: blobReference,
  steps: integer(1, 1_000_000_000),
  privacy: (value: unknown, path: string): NoPrivacy | PaidPrivacy =>
    isOff(value) ? off(value, path) : paid(value, path),
});
