import type { IncomingHttpHeaders } from 'node:http';
import type { Role } from '@consilium/client';
import { ApiError } from './error.ts';
import { holderOf, type TokenConfig, tokenHash } from './tokens.ts';

/** Who asks, and whom to count it to. */
export interface Asker {
  readonly role: Role;
  /** One for each client; the key of its allowance. */
  readonly client: string;
}

export interface AccessInit {
  readonly tokens: readonly TokenConfig[];
  /** The site's own, one for each of its keys; valid from this machine only. */
  readonly localTokens: readonly string[];
}

/** What of a request tells who asks. */
export interface Caller {
  readonly headers: IncomingHttpHeaders;
  /** The other end's, as the socket says. */
  readonly remoteAddress: string | undefined;
  /** This end's: the same as the other's where a program on this machine asks by its outward address. */
  readonly localAddress: string | undefined;
}

/**
 * Tells who asks.
 *
 * A bearer token says it, if it is one that the operator gave out. Without one, only a program on this machine may ask, and only while no tokens are
 * configured: with tokens there may be a proxy on this machine, behind which anybody could be.
 *
 * @throws {ApiError} `TOKEN_NEEDED`, `TOKEN_UNKNOWN`.
 */
export function askerOf(caller: Caller, init: AccessInit): Asker {
  const { headers, remoteAddress } = caller;
  const isHere = isThisMachine(caller) && !cameThroughProxy(headers);
  const client = `address ${remoteAddress ?? ''}`;
  const { authorization } = headers;
  if (authorization === undefined) {
    if (isHere && init.tokens.length === 0) return { role: 'operator', client };
    throw refused('TOKEN_NEEDED', 'a token is needed: `Authorization: Bearer …`');
  }
  const [, token = ''] = /^Bearer ([\w~+/.-]{1,200}=*)$/i.exec(authorization) ?? [];
  const own = init.localTokens.map(
    (text): TokenConfig => ({ name: 'local', role: 'operator', sha256: tokenHash(text) }),
  );
  const holder = holderOf(token, isHere ? [...init.tokens, ...own] : init.tokens);
  if (holder === null) throw refused('TOKEN_UNKNOWN', 'the token is none that this node gave out');
  return { role: holder.role, client: `token ${holder.name}` };
}

function refused(code: 'TOKEN_NEEDED' | 'TOKEN_UNKNOWN', message: string): ApiError {
  const error = code === 'TOKEN_UNKNOWN' ? ', error="invalid_token"' : '';
  return new ApiError(code, message, {
    headers: { 'www-authenticate': `Bearer realm="consilium"${error}` },
  });
}

function isThisMachine({ remoteAddress, localAddress }: Caller): boolean {
  if (remoteAddress === undefined) return false;
  const isLoopback = /^(?:::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/.test(remoteAddress);
  return isLoopback || remoteAddress === localAddress;
}

function cameThroughProxy(headers: IncomingHttpHeaders): boolean {
  return ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'].some(
    (name) => headers[name] !== undefined,
  );
}
