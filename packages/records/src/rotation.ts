import { encodeCanonical } from './canonical-cbor.ts';
import { sign, verifyStrictly } from './ed25519.ts';
import { pae } from './pae.ts';
import { bytes, type Check, object } from './schema.ts';
import { publicKeyOf, type SiteId } from './site-id.ts';
import { siteId } from './site-id-check.ts';
import type { SiteKey } from './site-key.ts';

/**
 * The last thing that a key says: which key speaks after it. The envelope is the old key's word; `consent` is the new key's.
 */
export interface RotationBody {
  readonly to: SiteId;
  /** Signature by `to` over {@link rotationMessage}, 64 bytes: nobody can hand a log on to a key that its owner does not offer. */
  readonly consent: Uint8Array;
}

/** A place at which one key takes over from another. */
export interface RotationPlace {
  /** Record id of the study's manifest, 32 bytes. */
  readonly study: Uint8Array;
  readonly from: SiteId;
  /** Index of the rotation in `from`'s log. */
  readonly index: number;
  readonly to: SiteId;
}

/** No record has the kind of this name, so that no record's signature passes for a consent. */
const CONSENT_TYPE = 'application/vnd.consilium.rotation-consent+cbor';

/** What the new key signs: the PAE of the place's canonical bytes. */
export function rotationMessage({ study, from, index, to }: RotationPlace): Uint8Array {
  return pae(CONSENT_TYPE, encodeCanonical({ study, from, index, to }));
}

/** A rotation's body at a place. @throws {RangeError} when `newKey` is not the place's `to`. */
export function consentToRotation(newKey: SiteKey, place: RotationPlace): RotationBody {
  if (newKey.id !== place.to) throw new RangeError(`the key is ${newKey.id}, not ${place.to}`);
  return { to: place.to, consent: sign(rotationMessage(place), newKey.secretKey) };
}

/** Whether the new key has consented to just this place. */
export function isConsented(
  { to, consent }: RotationBody,
  place: Omit<RotationPlace, 'to'>,
): boolean {
  return verifyStrictly(rotationMessage({ ...place, to }), consent, publicKeyOf(to));
}

/** Checks a rotation's body; the consent is not looked at. @throws {RecordError} `SCHEMA`, `SITE_ID`. */
export const rotationBody: Check<RotationBody> = object({ to: siteId, consent: bytes(64) });
