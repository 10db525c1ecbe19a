import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type ConsistencyClaim,
  consistencyProof,
  type InclusionClaim,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from './proof.ts';
import { leafHash, nodeHash, TreeHasher } from './tree.ts';

const SIZES = 70;
const leaves = Array.from({ length: SIZES }, (_, i) => leafHash(Uint8Array.of(7, i)));
/** Root of the first n leaves, at place n. */
const roots = rootsOf(leaves);

test(`a leaf is shown to be where it is and nowhere else, for every leaf of every tree up to ${SIZES}`, () => {
  const wrong: [size: number, index: number, claimed: number][] = [];
  for (let size = 1; size <= SIZES; size += 1) {
    for (let index = 0; index < size; index += 1) {
      const claim = inclusion(size, index);
      for (const other of [index, index - 1, index + 1, index ^ 2, size - 1 - index]) {
        const answer = verifyInclusion({ ...claim, index: other });
        if (answer !== (other === index)) wrong.push([size, index, other]);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test(`a tree is shown to have grown from every smaller one, up to ${SIZES}, and from no other`, () => {
  const otherRoots = rootsOf(leaves.with(0, leafHash(Uint8Array.of(8))));
  const wrong: [size1: number, size2: number, what: string][] = [];
  for (let size2 = 1; size2 <= SIZES; size2 += 1) {
    for (let size1 = 1; size1 <= size2; size1 += 1) {
      const claim = consistency(size1, size2);
      const other = { ...claim, root1: at(otherRoots, size1) };
      const shorter = { ...claim, size1: size1 - 1 };
      if (!verifyConsistency(claim)) wrong.push([size1, size2, 'its own proof']);
      if (verifyConsistency(other)) wrong.push([size1, size2, 'another root']);
      if (verifyConsistency(shorter)) wrong.push([size1, size2, 'another size']);
    }
  }
  expect(wrong).toEqual([]);
});

test.each([5, 8, 13])(
  'any flipped bit of leaf, root or hash is refused: every leaf of %s',
  (size) => {
    for (let index = 0; index < size; index += 1) {
      const { leafHash, root, proof, ...place } = inclusion(size, index);
      for (const [leaf = leafHash, top = root, ...path] of oneBitOff([leafHash, root, ...proof])) {
        const claim = { ...place, leafHash: leaf, root: top, proof: path };
        expect(verifyInclusion(claim)).toBe(false);
      }
    }
  },
);

test.each([5, 8, 13])(
  'any flipped bit of roots or hashes is refused: every tree before %s',
  (size2) => {
    for (let size1 = 1; size1 <= size2; size1 += 1) {
      const { root1, root2, proof, ...sizes } = consistency(size1, size2);
      for (const [before = root1, after = root2, ...path] of oneBitOff([root1, root2, ...proof])) {
        const claim = { ...sizes, root1: before, root2: after, proof: path };
        expect(verifyConsistency(claim)).toBe(false);
      }
    }
  },
);

test('a proof with a hash too few, too many or of another length is refused', () => {
  for (const [size, index] of [
    [11, 3],
    [11, 10],
    [16, 15],
  ] as const) {
    const claim = inclusion(size, index);
    for (const proof of misshapen(claim.proof)) {
      expect(verifyInclusion({ ...claim, proof })).toBe(false);
    }
  }
  for (const [size1, size2] of [
    [3, 11],
    [4, 11],
    [11, 16],
  ] as const) {
    const claim = consistency(size1, size2);
    for (const proof of misshapen(claim.proof)) {
      expect(verifyConsistency({ ...claim, proof })).toBe(false);
    }
  }
});

test('hashes cut at another place than after 32 bytes are refused, though together they are the same bytes', () => {
  const { leafHash, proof, ...rest } = inclusion(11, 7); // a right child: its sibling is hashed before it
  const [sibling = leafHash, ...path] = proof;
  const joined = Uint8Array.of(...sibling, ...leafHash);
  for (const cut of [0, 31, 33, 64]) {
    const claim = { ...rest, leafHash: joined.slice(cut), proof: [joined.slice(0, cut), ...path] };
    expect(verifyInclusion(claim)).toBe(false);
  }
  expect(verifyInclusion({ ...rest, leafHash: joined.slice(32), proof })).toBe(true);
});

test('a leaf is not shown to be all of a tree that is too small for its proof', () => {
  expect(verifyInclusion({ ...inclusion(2, 1), index: 0, size: 1 })).toBe(false);
  expect(verifyInclusion({ ...inclusion(4, 3), index: 1, size: 2 })).toBe(false);
});

test('what is no hash is not the only leaf of a tree, even if the root is the same', () => {
  for (const length of [0, 31, 33]) {
    const bytes = new Uint8Array(length);
    const claim = { leafHash: bytes, index: 0, size: 1, root: bytes, proof: [] };
    expect(verifyInclusion(claim)).toBe(false);
  }
});

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const pathHashes = fc.array(hash, { minLength: 56, maxLength: 56 });
/** Sizes around which 32-bit arithmetic and floating point would go wrong, and any. */
const size = fc.oneof(
  fc.constantFrom(2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 3, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER),
  fc.integer({ min: 2, max: Number.MAX_SAFE_INTEGER }),
);

test('trees of up to 2^53 - 1 leaves are climbed as the definition says', () => {
  fc.assert(
    fc.property(
      size,
      fc.double({ min: 0, max: 1, noNaN: true }),
      hash,
      pathHashes,
      (n, at, leaf, pool) => {
        const index = Math.min(n - 1, Math.floor(n * at));
        const taken: Uint8Array[] = [];
        const root = climb({ from: 0, to: n }, index, leaf, pool.values(), taken);
        const claim = { leafHash: leaf, index, size: n, root, proof: taken };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, index: index === 0 ? 1 : index - 1 })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: [...taken, leaf] })).toBe(false);
      },
    ),
    { seed: 9162, numRuns: 300 },
  );
});

test('trees of up to 2^53 - 1 leaves grow as the definition says', () => {
  fc.assert(
    fc.property(
      size,
      fc.double({ min: 0, max: 1, noNaN: true }),
      hash,
      pathHashes,
      (n, at, known, pool) => {
        const size1 = Math.max(1, Math.min(n - 1, Math.floor(n * at)));
        const taken: Uint8Array[] = [];
        const [root1, root2] = grow({ from: 0, to: n }, size1, known, pool.values(), taken);
        const claim = { size1, root1, size2: n, root2, proof: taken };
        expect(verifyConsistency(claim)).toBe(true);
        expect(verifyConsistency({ ...claim, root1: root2, root2: root1 })).toBe(false);
        expect(verifyConsistency({ ...claim, proof: [...taken, known] })).toBe(false);
      },
    ),
    { seed: 6962, numRuns: 300 },
  );
});

test('trees of one size are one tree exactly when their roots are the same, and there is nothing more to say', () => {
  const claim = consistency(9, 9);
  expect(claim.proof).toEqual([]);
  expect(verifyConsistency(claim)).toBe(true);
  expect(verifyConsistency({ ...claim, proof: [claim.root1] })).toBe(false);
});

test.each([
  ['an empty tree before', { size1: 0, size2: 6 }],
  ['two empty trees', { size1: 0, size2: 0 }],
  ['a tree that shrank', { size1: 6, size2: 4 }],
  ['a negative size', { size1: -1, size2: 6 }],
  ['a fractional size', { size1: 2.5, size2: 6 }],
  ['a size beyond 2^53 - 1', { size1: 4, size2: 2 ** 64 }],
  ['no number', { size1: Number.NaN, size2: 6 }],
])('no proof shows growth: %s', (_, sizes) => {
  const { root2, proof } = consistency(4, 6);
  for (const hashes of [[], proof]) {
    const claim = { ...sizes, root1: root2, root2, proof: hashes };
    expect(verifyConsistency(claim)).toBe(false);
  }
});

test.each([
  [0, 0],
  [6, 6],
  [-1, 6],
  [1.5, 6],
  [2 ** 64, 6],
  [3, 2 ** 64],
  [3, Number.NaN],
])('there is no leaf %s in a tree of %s', (index, size) => {
  const claim = { ...inclusion(6, 3), index, size };
  expect(verifyInclusion(claim)).toBe(false);
  expect(verifyInclusion({ ...claim, proof: [], root: claim.leafHash })).toBe(false);
});

test.each([-1, 6, 1.5, Number.NaN])('cannot make a proof of leaf %s of 6', (index) => {
  expect(() => inclusionProof(leaves.slice(0, 6), index)).toThrow(RangeError);
});

test.each([-1, 0, 7, 1.5, Number.NaN])(
  'cannot make a proof that 6 leaves grew from %s',
  (size1) => {
    expect(() => consistencyProof(leaves.slice(0, 6), size1)).toThrow(RangeError);
  },
);

function inclusion(size: number, index: number): InclusionClaim {
  const proof = inclusionProof(leaves.slice(0, size), index);
  return { leafHash: at(leaves, index), index, size, root: at(roots, size), proof };
}

function consistency(size1: number, size2: number): ConsistencyClaim {
  const proof = consistencyProof(leaves.slice(0, size2), size1);
  return { size1, root1: at(roots, size1), size2, root2: at(roots, size2), proof };
}

function rootsOf(hashes: readonly Uint8Array[]): Uint8Array[] {
  const tree = new TreeHasher();
  const empty = tree.root();
  const grown = hashes.map((hash) => {
    tree.append(hash);
    return tree.root();
  });
  return [empty, ...grown];
}

/** Every list that differs from `parts` in one bit. */
function* oneBitOff(parts: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (const [i, part] of parts.entries()) {
    for (let bit = 0; bit < part.length * 8; bit += 1) {
      const flipped = part.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      yield parts.with(i, flipped);
    }
  }
}

function misshapen(proof: readonly Uint8Array[]): Uint8Array[][] {
  const [first = new Uint8Array(32), ...rest] = proof;
  return [
    [],
    rest,
    proof.slice(0, -1),
    [first, ...proof],
    [...proof, first],
    [...proof, new Uint8Array(0)],
    [new Uint8Array(0), ...proof],
    [first.slice(1), ...rest],
    [Uint8Array.of(...first, 0), ...rest],
    [...rest].reverse().concat(first),
  ];
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function split({ from, to }: Range): number {
  let k = 1;
  while (2 * k < to - from) k *= 2;
  return from + k;
}

/** MTH of a tree of which only one leaf is known, taking a hash from `pool` for every other subtree, leaf's sibling first. */
function climb(
  range: Range,
  index: number,
  leaf: Uint8Array,
  pool: Iterator<Uint8Array>,
  taken: Uint8Array[],
): Uint8Array {
  const { from, to } = range;
  if (to - from === 1) return leaf;
  const k = split(range);
  const below = climb(index < k ? { from, to: k } : { from: k, to }, index, leaf, pool, taken);
  const sibling = take(pool, taken);
  return index < k ? nodeHash(below, sibling) : nodeHash(sibling, below);
}

/** Roots of the first `size1` leaves and of all, taking a hash from `pool` for what SUBPROOF would name. `known`: the first root, where it is not named. */
function grow(
  range: Range,
  size1: number,
  known: Uint8Array | null,
  pool: Iterator<Uint8Array>,
  taken: Uint8Array[],
): [Uint8Array, Uint8Array] {
  const { from, to } = range;
  if (size1 === to) {
    const root = known ?? take(pool, taken);
    return [root, root];
  }
  const k = split(range);
  if (size1 <= k) {
    const [before, after] = grow({ from, to: k }, size1, known, pool, taken);
    return [before, nodeHash(after, take(pool, taken))];
  }
  const [before, after] = grow({ from: k, to }, size1, null, pool, taken);
  const left = take(pool, taken);
  return [nodeHash(left, before), nodeHash(left, after)];
}

function take(pool: Iterator<Uint8Array>, taken: Uint8Array[]): Uint8Array {
  const { value } = pool.next();
  if (!(value instanceof Uint8Array)) throw new RangeError('the pool is empty');
  taken.push(value);
  return value;
}

function at(list: readonly Uint8Array[], index: number): Uint8Array {
  const value = list[index];
  if (value === undefined) throw new RangeError(`nothing at ${index}`);
  return value;
}
