import type { LogKey, Verify, WitnessKey } from '@consilium/log';
import { publicKeyOf, RecordError, type SiteId, verifyStrictly } from '@consilium/records';

/**
 * What a key's log is called in the notes of a study: `consilium/<study id, hexadecimal>/<site id>`. It is the origin of the log's checkpoints, the name of the
 * key that signs them, and the name under which that key cosigns the checkpoints of others.
 */
export function logName(study: Uint8Array, site: SiteId): string {
  return `${prefixOf(study)}${site}`;
}

/** Whose log an origin names; `undefined` for a log of another study, and for any other text. */
export function siteOfLog(study: Uint8Array, origin: string): SiteId | undefined {
  const prefix = prefixOf(study);
  if (!origin.startsWith(prefix)) return undefined;
  const site = origin.slice(prefix.length);
  try {
    publicKeyOf(site);
    return site;
  } catch (error) {
    if (error instanceof RecordError) return undefined;
    throw error;
  }
}

/** What verifies the checkpoints of a site's log. @throws {RecordError} `SITE_ID`. */
export function logKeyOf(study: Uint8Array, site: SiteId): LogKey {
  return { type: 'ed25519', name: logName(study, site), publicKey: publicKeyOf(site) };
}

/** What verifies a site's cosignatures. @throws {RecordError} `SITE_ID`. */
export function witnessKeyOf(study: Uint8Array, site: SiteId): WitnessKey {
  return { type: 'cosignature', name: logName(study, site), publicKey: publicKeyOf(site) };
}

/** Strict verification, as records have it. */
export const verifyNote: Verify = (publicKey, message, signature) =>
  verifyStrictly(message, signature, publicKey);

function prefixOf(study: Uint8Array): string {
  return `consilium/${Buffer.from(study).toString('hex')}/`;
}
