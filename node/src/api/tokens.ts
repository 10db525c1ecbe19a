import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type Role, roles } from '@consilium/client';
import type { SiteKey } from '@consilium/records';
import { z } from 'zod';

/** One token as `consilium.yaml` keeps it: what it is for, and the hash by which it is known. The token itself is nowhere. */
export const tokenConfig = z.strictObject({
  /** Who has it, for the operator. */
  name: z.string().min(1).max(64),
  role: z.enum(roles as [Role, ...Role[]]),
  /** SHA-256 (hex) of the token. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

export type TokenConfig = z.infer<typeof tokenConfig>;

/** Who asks, by the token that was shown. */
export interface TokenHolder {
  readonly name: string;
  readonly role: Role;
}

/** A new token: 256 random bits, so that its plain hash gives nothing away. */
export function newToken(random: (count: number) => Uint8Array): string {
  return `consilium_${Buffer.from(random(32)).toString('base64url')}`;
}

/** The hash by which a token is known. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/**
 * Who holds `token`, or null for one that nobody was given. Takes the same time whichever it is: every hash is compared, each in constant time.
 */
export function holderOf(token: string, tokens: readonly TokenConfig[]): TokenHolder | null {
  const shown = createHash('sha256').update(token).digest();
  let holder: TokenHolder | null = null;
  for (const { name, role, sha256 } of tokens) {
    if (timingSafeEqual(shown, Buffer.from(sha256, 'hex'))) holder = { name, role };
  }
  return holder;
}

/**
 * The token by which the site's own command line shows that it is, to the node of process `pid`: whoever can compute it can read the site's key, and needs
 * no other right. One run's is of no use for another: whoever took a dead node's port and was shown it has nothing.
 */
export function localToken({ secretKey }: Pick<SiteKey, 'secretKey'>, pid: number): string {
  const mac = createHmac('sha256', secretKey.subarray(0, 32));
  return `local_${mac.update(`consilium/local-token/1\n${pid}\n`).digest('base64url')}`;
}
