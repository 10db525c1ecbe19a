import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import { expect, test } from 'vitest';
import { isSafePoint, keyPairOfSeed, sign, verifyStrictly } from './ed25519.ts';

const { CONSILIUM_SHARED } = process.env;
const vectors = join(
  CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared'),
  'vectors',
);
const wycheproofFile = join(vectors, 'wycheproof_ed25519_test.json');
const cryptoFile = join(vectors, 'crypto_vectors.json');

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

function littleEndian(value: bigint): Uint8Array {
  return bytesOf(value.toString(16).padStart(64, '0')).reverse();
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

interface WycheproofGroup {
  publicKey: { pk: string };
  tests: { tcId: number; msg: string; sig: string; result: string }[];
}

test.skipIf(!existsSync(wycheproofFile))(
  'answers all 151 Wycheproof cases as they say (shared vectors)',
  () => {
    const { testGroups } = JSON.parse(readFileSync(wycheproofFile, 'utf8'));
    const wrong: number[] = [];
    let cases = 0;
    for (const group of testGroups satisfies WycheproofGroup[]) {
      for (const { tcId, msg, sig, result } of group.tests) {
        cases += 1;
        const valid = verifyStrictly(bytesOf(msg), bytesOf(sig), bytesOf(group.publicKey.pk));
        if (valid !== (result === 'valid')) wrong.push(tcId);
      }
    }
    expect({ cases, wrong }).toEqual({ cases: 151, wrong: [] });
  },
);

test.skipIf(!existsSync(cryptoFile))(
  'signs and verifies the RFC 8032 vectors (shared vectors)',
  () => {
    const { published } = JSON.parse(readFileSync(cryptoFile, 'utf8'));
    expect(published.rfc8032).toHaveLength(3);
    for (const { seed, pub, msg, sig } of published.rfc8032) {
      const { publicKey, secretKey } = keyPairOfSeed(bytesOf(seed));
      expect(Buffer.from(publicKey).toString('hex')).toBe(pub);
      expect(Buffer.from(sign(bytesOf(msg), secretKey)).toString('hex')).toBe(sig);
      expect(verifyStrictly(bytesOf(msg), bytesOf(sig), publicKey)).toBe(true);
    }
  },
);

const message = new Uint8Array(Buffer.from('a record'));
const pair = keyPairOfSeed(new Uint8Array(32).fill(42));
const signature = sign(message, pair.secretKey);

test('refuses S + L, the same signature in a second form, which tweetnacl accepts', () => {
  const malleated = new Uint8Array(signature);
  malleated.set(littleEndian(numberOf(signature.slice(32)) + L), 32);
  expect(nacl.sign.detached.verify(message, malleated, pair.publicKey)).toBe(true);
  expect(verifyStrictly(message, malleated, pair.publicKey)).toBe(false);
});

test('refuses the identity key, under which R = identity and S = 0 sign everything', () => {
  const identity = littleEndian(1n);
  const forged = new Uint8Array(64);
  forged.set(identity);
  expect(nacl.sign.detached.verify(message, forged, identity)).toBe(true);
  expect(verifyStrictly(message, forged, identity)).toBe(false);
});

/** Twisted Edwards arithmetic in its plainest form, to find the points of small order anew. */
const D = mod(-121665n * inverse(121666n));

function mod(a: bigint): bigint {
  return ((a % P) + P) % P;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) {
    if (e & 1n) result = mod(result * b);
  }
  return result;
}

function inverse(a: bigint): bigint {
  return power(a, P - 2n);
}

type Point = readonly [x: bigint, y: bigint];

function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const product = mod(D * x1 * x2 * y1 * y2);
  return [
    mod((x1 * y2 + y1 * x2) * inverse(1n + product)),
    mod((y1 * y2 + x1 * x2) * inverse(1n - product)),
  ];
}

/** The eight points P with 8·P = 0: L·Q, for any Q of the curve, is one of them, and one of order 8 makes all. */
function torsionPoints(): Point[] {
  for (let y = 2n; ; y += 1n) {
    const x2 = mod((y * y - 1n) * inverse(D * y * y + 1n));
    const root = power(x2, (P + 3n) / 8n);
    const x = [root, mod(root * power(2n, (P - 1n) / 4n))].find((c) => mod(c * c) === x2);
    if (x === undefined) continue;
    const generator = times(L, [x, y]);
    if (times(4n, generator)[1] === 1n) continue; // of order 4 or less
    return Array.from({ length: 8 }, (_, k) => times(BigInt(k), generator));
  }
}

function times(scalar: bigint, point: Point): Point {
  let sum: Point = [0n, 1n];
  for (let q = point, e = scalar; e > 0n; e >>= 1n, q = add(q, q)) {
    if (e & 1n) sum = add(sum, q);
  }
  return sum;
}

test('refuses every encoding of the eight points of small order, canonical or not, as key and as R', () => {
  const points = torsionPoints();
  expect(points).toHaveLength(8);
  const encodings = points.flatMap(([, y]) =>
    [y, y + P]
      .filter((value) => value < 2n ** 255n)
      .flatMap((value) => [littleEndian(value), littleEndian(value + 2n ** 255n)]),
  );
  expect(new Set(encodings.map((bytes) => numberOf(bytes))).size).toBe(14);
  for (const encoding of encodings) {
    expect(isSafePoint(encoding)).toBe(false);
    expect(verifyStrictly(message, signature, encoding)).toBe(false);
    const withR = new Uint8Array(signature);
    withR.set(encoding);
    expect(verifyStrictly(message, withR, pair.publicKey)).toBe(false);
  }
});

test('refuses each y from p to 2^255 - 1, with and without sign, as a point', () => {
  for (let y = P; y < 2n ** 255n; y += 1n) {
    expect(isSafePoint(littleEndian(y))).toBe(false);
    expect(isSafePoint(littleEndian(y + 2n ** 255n))).toBe(false);
  }
  expect(isSafePoint(littleEndian(P - 2n))).toBe(true);
});

test('takes S up to L - 1 to the curve equation and no further', () => {
  for (const s of [L, L + 1n, 2n ** 253n, 2n ** 256n - 1n]) {
    const forged = new Uint8Array(signature);
    forged.set(littleEndian(s), 32);
    expect(verifyStrictly(message, forged, pair.publicKey)).toBe(false);
  }
});

test('says no to any flipped bit of message, signature or key', () => {
  const whole = new Uint8Array([...message, ...signature, ...pair.publicKey]);
  for (let bit = 0; bit < whole.length * 8; bit += 1) {
    const flipped = whole.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    const at = message.length;
    expect(
      verifyStrictly(flipped.slice(0, at), flipped.slice(at, at + 64), flipped.slice(at + 64)),
    ).toBe(false);
  }
});

test('never throws, whatever the bytes and their lengths', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ minLength: 62, maxLength: 66 }),
      fc.uint8Array({ minLength: 30, maxLength: 34 }),
      (m, s, k) => {
        expect(verifyStrictly(m, s, k)).toBe(false);
      },
    ),
    { seed: 25519, numRuns: 2000 },
  );
});

test('leaves the bytes it looks at alone, Buffers included', () => {
  const key = Buffer.from(pair.publicKey);
  key[31] = (key[31] ?? 0) | 0x80;
  const before = key.toString('hex');
  verifyStrictly(message, signature, key);
  expect(key.toString('hex')).toBe(before);
});

test('agrees with tweetnacl on honest signatures', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array(), (seed, m) => {
      const { publicKey, secretKey } = keyPairOfSeed(seed);
      expect(verifyStrictly(m, sign(m, secretKey), publicKey)).toBe(true);
    }),
    { seed: 8032, numRuns: 50 },
  );
});

test.each([31, 33, 0])('refuses a seed of %s bytes', (length) => {
  expect(() => keyPairOfSeed(new Uint8Array(length))).toThrow(RangeError);
});

test('refuses to sign with less than a whole secret key', () => {
  expect(() => sign(message, new Uint8Array(32))).toThrow(RangeError);
});
