import type { CosignRequest } from '@consilium/log';
import type { SiteId } from '@consilium/records';
import type { CosignReply, NoteClaim } from './witness-message.ts';

/** What a site does as a witness and with the checkpoints that others hold. What counts, and whose signatures, is its own business; the network moves bytes. */
export interface Witnessing {
  /** Answers a member that asks this site to cosign. Everything in the request is bounded, and comes from a stranger otherwise. */
  cosign(site: SiteId, request: CosignRequest): Promise<CosignReply>;
  /** The notes that can be asked for here: strictly ascending by author and size, at most 512. */
  claims(): readonly NoteClaim[];
  /** One of them; `undefined` when it is not here any more. */
  note(author: SiteId, size: number): Promise<Uint8Array | undefined>;
  /** Whether a note that a member claims to hold would tell anything new. */
  wants(claim: NoteClaim): Promise<boolean>;
  /** Takes the note of a claim from a member. False when it is not that note, or not one that a member who checks notes would hold. */
  take(site: SiteId, claim: NoteClaim, note: Uint8Array): Promise<boolean>;
}

/** A site that is no witness and holds no notes. */
export const noWitnessing: Witnessing = {
  cosign: async () => ({ type: 'refused', code: 'unknown-log' }),
  claims: () => [],
  note: async () => undefined,
  wants: async () => false,
  take: async () => true,
};
