import { createHash } from 'node:crypto';
import { roles } from '@consilium/client';
import { keyFromSeed } from '@consilium/records';
import { describe, expect, test } from 'vitest';
import { askerOf, type Caller } from './access.ts';
import { holderOf, localToken, newToken, tokenHash } from './tokens.ts';

const key = keyFromSeed(new Uint8Array(32).fill(5));
const local = localToken(key, 4711);
const token = newToken((count) => new Uint8Array(count).fill(0xa7));
const other = newToken((count) => new Uint8Array(count).fill(0x11));
const tokens = [
  { name: 'somebody', role: 'auditor' as const, sha256: tokenHash(other) },
  { name: 'dr who', role: 'researcher' as const, sha256: tokenHash(token) },
];

const from = (remoteAddress: string, headers: Caller['headers'] = {}): Caller => ({
  remoteAddress,
  localAddress: '192.0.2.7',
  headers,
});
const bearer = (text: string): Caller['headers'] => ({ authorization: `Bearer ${text}` });

describe('while no token is configured', () => {
  const init = { tokens: [], localTokens: ['local_other', local] };

  test.each(['127.0.0.1', '127.9.8.7', '::1', '::ffff:127.0.0.1', '192.0.2.7'])(
    'a program on this machine, at %s, may ask for everything',
    (address) => {
      expect(askerOf(from(address), init).role).toBe('operator');
    },
  );

  test.each(['192.0.2.8', '::ffff:192.0.2.7', '10.127.0.0', '2001:db8::1', '1127.0.0.1', ''])(
    'nobody at %s may',
    (address) => {
      expect(() => askerOf(from(address), init)).toThrow(
        expect.objectContaining({ code: 'TOKEN_NEEDED' }),
      );
    },
  );

  test.each(['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-host'])(
    'what came through a proxy, as %s tells, is not from this machine',
    (header) => {
      expect(() => askerOf(from('127.0.0.1', { [header]: '127.0.0.1' }), init)).toThrow(
        expect.objectContaining({ code: 'TOKEN_NEEDED' }),
      );
    },
  );

  test('a token that nobody was given is refused from this machine as well', () => {
    expect(() => askerOf(from('127.0.0.1', bearer(token)), init)).toThrow(
      expect.objectContaining({
        code: 'TOKEN_UNKNOWN',
        headers: { 'www-authenticate': expect.stringContaining('invalid_token') },
      }),
    );
  });
});

describe('with tokens', () => {
  const init = { tokens, localTokens: ['local_other', local] };

  test('each says who asks, from wherever', () => {
    expect(askerOf(from('192.0.2.8', bearer(token)), init)).toEqual({
      role: 'researcher',
      client: 'token dr who',
    });
    expect(askerOf(from('127.0.0.1', { authorization: `bearer ${other}` }), init).role).toBe(
      'auditor',
    );
  });

  test('nobody is let in without one, not even from this machine', () => {
    expect(() => askerOf(from('127.0.0.1'), init)).toThrow(
      expect.objectContaining({ code: 'TOKEN_NEEDED' }),
    );
  });

  test('the site’s own command line is, from this machine and no other, and not through a proxy', () => {
    expect(askerOf(from('127.0.0.1', bearer(local)), init).role).toBe('operator');
    const proxied = { ...bearer(local), 'x-forwarded-for': '192.0.2.8' };
    for (const caller of [from('192.0.2.8', bearer(local)), from('127.0.0.1', proxied)])
      expect(() => askerOf(caller, init)).toThrow(
        expect.objectContaining({ code: 'TOKEN_UNKNOWN' }),
      );
  });

  test.each([
    ['its hash', tokenHash(token)],
    ['a token cut short', token.slice(0, -1)],
    ['a token with more behind it', `${token}x`],
    ['another case', token.toUpperCase()],
    ['nothing', ''],
    ['two tokens', `${token} ${other}`],
  ])('%s is no token', (_, text) => {
    expect(() => askerOf(from('192.0.2.8', bearer(text)), init)).toThrow(
      expect.objectContaining({ code: 'TOKEN_UNKNOWN' }),
    );
  });

  test.each(['Basic', 'Digest'])('%s is no way to show one', (scheme) => {
    expect(() => askerOf(from('::1', { authorization: `${scheme} ${token}` }), init)).toThrow(
      expect.objectContaining({ code: 'TOKEN_UNKNOWN' }),
    );
  });
});

test('a token holds 256 random bits and is kept as its hash alone', () => {
  expect(token).toBe(`consilium_${Buffer.alloc(32, 0xa7).toString('base64url')}`);
  expect(tokenHash(token)).toBe(createHash('sha256').update(token).digest('hex'));
  expect(holderOf(token, tokens)).toEqual({ name: 'dr who', role: 'researcher' });
  expect(holderOf(`${token} `, tokens)).toBeNull();
});

test('the command line’s own token is one key’s and one run’s', () => {
  const another = keyFromSeed(new Uint8Array(32).fill(6));
  const all = [local, localToken(key, 4712), localToken(another, 4711)];
  expect(new Set(all).size).toBe(3);
  expect(localToken(key, 4711)).toBe(local);
});

test('roles are named once each', () => {
  expect([...roles].sort()).toEqual(['auditor', 'operator', 'radiologist', 'researcher']);
});
