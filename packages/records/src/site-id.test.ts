import fc from 'fast-check';
import { base58btc } from 'multiformats/bases/base58';
import { expect, test } from 'vitest';
import { RecordError } from './error.ts';
import { publicKeyOf, siteIdOf } from './site-id.ts';
import { generateKey, keyFromSeed } from './site-key.ts';

const rfcSeed = new Uint8Array(
  Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex'),
);

const libp2p = await importLibp2p();

/** libp2p's own packages belong to the network; where they are installed, they are asked. */
async function importLibp2p() {
  const names = ['@libp2p/crypto/keys', '@libp2p/peer-id'];
  try {
    const [keys, peerId] = await Promise.all(names.map((name) => import(name)));
    return {
      privateKeyFromRaw: keys.privateKeyFromRaw,
      peerIdFromPrivateKey: peerId.peerIdFromPrivateKey,
    };
  } catch {
    return undefined;
  }
}

test('is the PeerId that libp2p gives the first key of RFC 8032', () => {
  expect(keyFromSeed(rfcSeed).id).toBe('12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV');
});

test.skipIf(libp2p === undefined)(
  'is what libp2p makes of the same secret key (libp2p installed)',
  () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const key = keyFromSeed(seed);
        const privateKey = libp2p?.privateKeyFromRaw(key.secretKey);
        expect(libp2p?.peerIdFromPrivateKey(privateKey).toString()).toBe(key.id);
        expect(privateKey.publicKey.raw).toEqual(key.publicKey);
      }),
      { seed: 5, numRuns: 20 },
    );
  },
);

test('comes back as the key it was made of', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
      const { id, publicKey } = keyFromSeed(seed);
      expect(id).toMatch(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/);
      expect(publicKeyOf(id)).toEqual(publicKey);
    }),
    { seed: 6, numRuns: 20 },
  );
});

const { id, publicKey } = keyFromSeed(rfcSeed);
const withPrefix = (...prefix: number[]) =>
  base58btc.baseEncode(Uint8Array.of(...prefix, ...publicKey));

test.each([
  ['nothing', ''],
  ['a character less', id.slice(1)],
  ['a character more', `${id}1`],
  ['a character that base58 does not have', `${id.slice(0, -1)}0`],
  ['a very long text', 'z'.repeat(1_000_000)],
  ['an RSA PeerId', 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'],
  ['a CID', 'bafzaajaiaejcbzdibmxyzdjbbehgvizh6g5tikvy47mshdy6gwbruvgwvd24seje'],
  ['another key type', withPrefix(0x00, 0x24, 0x08, 0x02, 0x12, 0x20)],
  ['another multihash', withPrefix(0x12, 0x24, 0x08, 0x01, 0x12, 0x20)],
  ['the identity key', siteIdOf(Uint8Array.of(1, ...new Array(31).fill(0)))],
  ['a key with y ≥ p', siteIdOf(new Uint8Array(32).fill(0xff))],
])('refuses %s', (_, text) => {
  expect(() => publicKeyOf(text)).toThrow(RecordError);
  expect(() => publicKeyOf(text)).toThrow(expect.objectContaining({ code: 'SITE_ID' }));
});

test('takes a new key from the source of random bytes, and refuses a short one', () => {
  expect(generateKey(() => rfcSeed).id).toBe(id);
  expect(() => generateKey(() => new Uint8Array(16))).toThrow(RangeError);
});

test.each([31, 33])('refuses a public key of %s bytes', (length) => {
  expect(() => siteIdOf(new Uint8Array(length))).toThrow(RangeError);
});
