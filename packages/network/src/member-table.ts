import type { SiteId } from '@consilium/records';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { Clock } from './clock.ts';
import { siteOf } from './connection-gater.ts';
import { NetworkError } from './error.ts';
import type { NetworkLimits } from './limits.ts';
import { errorFields, type Logger } from './logger.ts';
import { createPeerGuard, type PeerGuard } from './peer-guard.ts';

/** A member as the roster names it. */
export interface RosterMember {
  site: SiteId;
  /** Multiaddrs such as `/dns4/node.hospital.example/tcp/4001`; a `/p2p/` part is optional. */
  addresses: readonly string[];
}

/** What this site knows about another member, for as long as both are in the roster. */
export interface Member {
  readonly site: SiteId;
  addresses: readonly Multiaddr[];
  readonly guard: PeerGuard;
  /** When a pull from it last ended well, in ms since the epoch. */
  lastSyncAtMs: number | null;
  /** How the last attempt to talk to it failed; null after a success. */
  lastError: string | null;
  dial: { running: boolean; attempt: number; dueMs: number };
}

/** The other members of the roster, as of the last `refresh`. */
export interface MemberTable {
  all(): readonly Member[];
  get(site: string): Member | undefined;
  /** Whether the record at `index` of `author`'s log is wanted here. */
  wants(author: string, index: number): boolean;
  /** Whether a connection with `site` is allowed now. */
  admits(site: string): boolean;
  /** Reads the roster again. Returns the sites that are no longer in it. */
  refresh(): readonly string[];
}

/** The roster, and whose records are wanted; see `NetworkComponents`. */
export interface RosterSource {
  members: () => readonly RosterMember[];
  wanted?: (author: SiteId) => number;
}

/** A table that follows `members`; this site itself is left out of `all`. */
export function createMemberTable(
  self: SiteId,
  { members, wanted }: RosterSource,
  clock: Clock,
  limits: NetworkLimits,
  logger: Logger,
): MemberTable {
  const table = new Map<string, Member>();
  const addressTexts = new Map<string, string>();

  const add = ({ site, addresses }: RosterMember): void => {
    const text = addresses.join(' ');
    const known = table.get(site);
    if (known === undefined) {
      table.set(site, {
        site,
        addresses: parseAddresses(site, addresses, logger),
        guard: createPeerGuard(clock, limits),
        lastSyncAtMs: null,
        lastError: null,
        dial: { running: false, attempt: 0, dueMs: clock.now() },
      });
    } else if (addressTexts.get(site) !== text) {
      known.addresses = parseAddresses(site, addresses, logger);
      known.dial.attempt = 0;
      known.dial.dueMs = clock.now();
    }
    addressTexts.set(site, text);
  };

  const wantedOf =
    wanted ?? ((author) => (author === self || table.has(author) ? Number.POSITIVE_INFINITY : 0));
  return {
    all: () => [...table.values()],
    get: (site) => table.get(site),
    wants: (author, index) => index < wantedOf(author),
    admits: (site) => table.get(site)?.guard.banned() === false,
    refresh: () => {
      const roster = members().filter(({ site }) => site !== self);
      for (const member of roster) {
        add(member);
      }
      const named = new Set(roster.map(({ site }) => site));
      const removed = [...table.keys()].filter((site) => !named.has(site));
      for (const site of removed) {
        table.delete(site);
        addressTexts.delete(site);
      }
      return removed;
    },
  };
}

function parseAddresses(site: SiteId, texts: readonly string[], logger: Logger): Multiaddr[] {
  return texts.flatMap((text) => {
    try {
      return [memberAddress(site, text)];
    } catch (error) {
      logger.warn({ site, address: text, ...errorFields(error) }, 'address not used');
      return [];
    }
  });
}

/**
 * `text` as a multiaddr that ends in the member's id.
 *
 * @throws {NetworkError} `BAD_ADDRESS` when it is not a multiaddr, has no TCP port, or names another site.
 */
export function memberAddress(site: SiteId, text: string): Multiaddr {
  const address = parse(text);
  if (!address.getComponents().some(({ name }) => name === 'tcp')) {
    throw new NetworkError('BAD_ADDRESS', `not an address of a TCP port: ${text}`);
  }
  const named = siteOf(address);
  if (named === undefined) {
    return address.encapsulate(`/p2p/${site}`);
  }
  if (named !== site) {
    throw new NetworkError('BAD_ADDRESS', `the address of ${site} names ${named}`);
  }
  return address;
}

function parse(text: string): Multiaddr {
  try {
    return multiaddr(text);
  } catch (cause) {
    throw new NetworkError('BAD_ADDRESS', `not a multiaddr: ${text}`, { cause });
  }
}
