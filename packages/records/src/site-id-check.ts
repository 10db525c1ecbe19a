import { type Check, mismatch } from './schema.ts';
import { publicKeyOf, type SiteId } from './site-id.ts';

/** The PeerId text of a usable Ed25519 key. */
export const siteId: Check<SiteId> = (value, path) => {
  if (typeof value !== 'string') return mismatch(path, 'a site id', value);
  publicKeyOf(value);
  return value;
};
