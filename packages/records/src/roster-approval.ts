import { encodeCanonical } from './canonical-cbor.ts';
import { sign, verifyStrictly } from './ed25519.ts';
import { pae, sha256 } from './pae.ts';
import { checkProposedChange, type ProposedChange, type RosterApproval } from './roster-change.ts';
import { publicKeyOf } from './site-id.ts';
import type { SiteKey } from './site-key.ts';

/** No record has the kind of this name, so that no record's signature passes for an approval. */
const APPROVAL_TYPE = 'application/vnd.consilium.roster-approval+cbor';

/** What every approval of a change is over: the PAE of the canonical bytes of study, number, previous and change. */
export function rosterChangeMessage(
  study: Uint8Array,
  { number, previous, change }: ProposedChange,
): Uint8Array {
  return pae(APPROVAL_TYPE, encodeCanonical({ study, number, previous, change }));
}

/**
 * The change's name: SHA-256 of {@link rosterChangeMessage}, 32 bytes. Neither the log that carries a change nor its approvals are part of it, so that
 * one change in several logs is one change.
 */
export function rosterChangeId(study: Uint8Array, proposed: ProposedChange): Uint8Array {
  return sha256(rosterChangeMessage(study, proposed));
}

/**
 * A key's approval of a change; also the consent of the key that a change rotates to.
 * @throws {RecordError} `SCHEMA`, `SITE_ID` when the change is none that anybody would take.
 */
export function approveRosterChange(
  key: SiteKey,
  study: Uint8Array,
  proposed: ProposedChange,
  rotations: readonly Uint8Array[] = [],
): RosterApproval {
  const message = rosterChangeMessage(study, checkProposedChange(proposed));
  return { site: key.id, signature: sign(message, key.secretKey), rotations };
}

/** Whether an approval's signature is one by its key over just this change. Whether that key has a say is the study's to tell. */
export function isApprovedBy(
  { site, signature }: Pick<RosterApproval, 'signature' | 'site'>,
  study: Uint8Array,
  proposed: ProposedChange,
): boolean {
  return verifyStrictly(rosterChangeMessage(study, proposed), signature, publicKeyOf(site));
}
