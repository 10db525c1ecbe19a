import {
  decodeEnvelope,
  isApprovedBy,
  openRecord,
  RecordError,
  type RosterApproval,
  type RosterChangeBody,
  type SiteId,
  type VerifiedRecord,
} from '@consilium/records';
import { approvalsNeeded, type Member, openKey, type Roster, voters } from './roster.ts';
import { hasConsent, isOf } from './speech.ts';

/** A record that carries a change of the roster, and the study's name for the change. */
export interface Carrier {
  readonly verified: VerifiedRecord;
  readonly body: RosterChangeBody;
  /** Change id (hex). */
  readonly id: string;
}

/** Signatures are checked once for each record: which roster it follows, the record itself says. */
const known = new WeakMap<VerifiedRecord, boolean>();

/** Whether a record shows that the members of the roster which its change follows want it; see {@link hasApprovals}. */
export function isWanted({ verified, body }: Carrier, roster: Roster): boolean {
  const { study } = verified.record;
  const wanted = known.get(verified) ?? (study !== null && hasApprovals(study, body, roster));
  known.set(verified, wanted);
  return wanted;
}

/**
 * Whether more than half of those who have a say in `roster` have signed a change, and so has the key that it hands on to, if it does. One approval of
 * theirs that is not genuine, or a second one of the same member, and none counts; those of anybody else are not looked at. So it takes a bounded number
 * of signature checks.
 *
 * A member signs with the key that the roster names, or with one that this key has handed on to by rotations which lie beside the signature. Nothing
 * outside of the approvals decides, so that nobody can take one back.
 */
export function hasApprovals(study: Uint8Array, body: RosterChangeBody, roster: Roster): boolean {
  const { approvals, change } = body;
  const keys = new Set(voters(roster).map(openKey));
  const ofVoters = approvals.filter((approval) => keys.has(rootOf(approval)));
  const ofNewKey = approvals.filter(({ site }) => change.kind === 'rotate' && site === change.to);
  if (ofVoters.length < approvalsNeeded(roster)) return false;
  if (change.kind === 'rotate' && ofNewKey.length === 0) return false;
  if (new Set(ofVoters.map(rootOf)).size !== ofVoters.length) return false;
  return [...ofVoters, ...ofNewKey].every((approval) => isGenuine(study, body, approval));
}

/** The members of `roster` that have a say and have signed a change, in the roster's order. */
export function approvers(study: Uint8Array, body: RosterChangeBody, roster: Roster): Member[] {
  const roots = body.approvals
    .filter((approval) => isGenuine(study, body, approval))
    .map((approval) => rootOf(approval));
  return voters(roster).filter((member) => roots.includes(openKey(member)));
}

function isGenuine(
  study: Uint8Array,
  { number, previous, change }: RosterChangeBody,
  approval: RosterApproval,
): boolean {
  const isSigned = isApprovedBy(approval, study, { number, previous, change });
  return isSigned && leadsToSigner(approval, study);
}

/** The key for which an approval claims to speak: its signer, or the first that handed on. */
function rootOf({ site, rotations }: RosterApproval): SiteId | null {
  const [first] = rotations;
  if (first === undefined) return site;
  try {
    return decodeEnvelope(first).signer;
  } catch (error) {
    // An approval may carry any bytes: those that are no record speak for nobody.
    if (!(error instanceof RecordError)) throw error;
    return null;
  }
}

/** Whether each of an approval's rotations hands on to the next one's key, and the last one to the signer. */
function leadsToSigner({ site, rotations }: RosterApproval, study: Uint8Array): boolean {
  const links = rotations.map((envelope) => linkOf(envelope, study));
  return links.every(
    (link, i) => link !== null && link.to === (i + 1 < links.length ? links[i + 1]?.from : site),
  );
}

function linkOf(envelope: Uint8Array, study: Uint8Array): { from: SiteId; to: SiteId } | null {
  try {
    const verified = openRecord(envelope);
    const { record } = verified;
    if (!record.known || record.kind !== 'rotation' || !isOf(record.study, study)) return null;
    return hasConsent(verified) ? { from: record.author, to: record.body.to } : null;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return null;
  }
}
