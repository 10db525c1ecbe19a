import { sameId } from './chain.ts';
import { nodeHash, TreeHasher } from './tree.ts';

/**
 * The hashes that lead from leaf `index` to the root of the tree over `leafHashes`, from the leaf's sibling up.
 * None for a tree of one leaf. Takes time linear in the number of leaves.
 *
 * @throws {RangeError} when the tree has no leaf `index`.
 * @see RFC 9162 §2.1.3.1
 */
export function inclusionProof(leafHashes: readonly Uint8Array[], index: number): Uint8Array[] {
  const size = leafHashes.length;
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new RangeError(`a tree of ${size} leaves has no leaf ${index}`);
  }
  return path(leafHashes, { from: 0, to: size }, index);
}

/**
 * The hashes that show that the first `size1` leaves of the tree over `leafHashes` are a tree that it grew from.
 * None when `size1` is the whole. Takes time linear in the number of leaves.
 *
 * @throws {RangeError} when `size1` is not 1…the number of leaves: every tree grew from the empty one, so that is never proven.
 * @see RFC 9162 §2.1.4.1
 */
export function consistencyProof(leafHashes: readonly Uint8Array[], size1: number): Uint8Array[] {
  const size = leafHashes.length;
  if (!Number.isSafeInteger(size1) || size1 < 1 || size1 > size) {
    throw new RangeError(`a tree of ${size} leaves did not grow from one of ${size1}`);
  }
  return subproof(leafHashes, { from: 0, to: size }, size1, true);
}

/** That a leaf is in a tree, and the hashes that are to show it. */
export interface InclusionClaim {
  /** RFC 6962 hash of the leaf's data, see `leafHash`. */
  readonly leafHash: Uint8Array;
  readonly index: number;
  /** Leaves of the tree. */
  readonly size: number;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Whether `proof` shows that leaf `index` of the tree of `size` leaves with that root has that hash. Never throws on
 * bytes, whatever they are, and looks at no more hashes than a tree of that size can need.
 *
 * The proof binds leaf, index and root to each other, but not the size, which has to come signed together with the root.
 *
 * @see RFC 9162 §2.1.3.2; the letters are its own
 */
export function verifyInclusion({ leafHash, index, size, root, proof }: InclusionClaim): boolean {
  if (!isNatural(index) || !isNatural(size) || index >= size || !isHash(leafHash)) return false;
  let [fn, sn, r] = [index, size - 1, leafHash];
  for (const p of proof) {
    if (sn === 0 || !isHash(p)) return false;
    if (isOdd(fn) || fn === sn) {
      r = nodeHash(p, r);
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      r = nodeHash(r, p);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && sameId(r, root);
}

/** That a tree grew from another, and the hashes that are to show it. */
export interface ConsistencyClaim {
  readonly size1: number;
  readonly root1: Uint8Array;
  readonly size2: number;
  readonly root2: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Whether `proof` shows that the tree of `size2` leaves with `root2` begins with the tree of `size1` leaves with
 * `root1`. Trees of one size need no proof, only one root. Never throws on bytes, whatever they are, and looks at no
 * more hashes than a tree of that size can need.
 *
 * `size1` 0 is refused, whatever the proof: there is nothing that it could show.
 *
 * @see RFC 9162 §2.1.4.2; the letters are its own
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { size1, root1, size2, root2, proof } = claim;
  if (!isNatural(size1) || !isNatural(size2) || size1 === 0 || size1 > size2) return false;
  if (size1 === size2) return proof.length === 0 && sameId(root1, root2);
  if (proof.length === 0) return false;
  const [first, ...rest] = isPowerOfTwo(size1) ? [root1, ...proof] : proof;
  if (first === undefined || !isHash(first)) return false;
  let [fn, sn, fr, sr] = [size1 - 1, size2 - 1, first, first];
  while (isOdd(fn)) [fn, sn] = [half(fn), half(sn)];
  for (const c of rest) {
    if (sn === 0 || !isHash(c)) return false;
    if (isOdd(fn) || fn === sn) {
      [fr, sr] = [nodeHash(c, fr), nodeHash(c, sr)];
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      sr = nodeHash(sr, c);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && sameId(fr, root1) && sameId(sr, root2);
}

/** Leaves `from`…`to - 1`. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** PATH(m, D[from:to]) of RFC 9162 §2.1.3.1, `m` counted from leaf 0. */
function path(leafHashes: readonly Uint8Array[], { from, to }: Range, m: number): Uint8Array[] {
  if (to - from === 1) return [];
  const k = from + largestPowerOfTwoBelow(to - from);
  const [left, right] = [
    { from, to: k },
    { from: k, to },
  ];
  return m < k
    ? [...path(leafHashes, left, m), rootOf(leafHashes, right)]
    : [...path(leafHashes, right, m), rootOf(leafHashes, left)];
}

/** SUBPROOF(m, D[from:to], b) of RFC 9162 §2.1.4.1, `m` counted from leaf 0; `b`: the verifier knows the root of D[0:m]. */
function subproof(
  leafHashes: readonly Uint8Array[],
  range: Range,
  m: number,
  b: boolean,
): Uint8Array[] {
  const { from, to } = range;
  if (m === to) return b ? [] : [rootOf(leafHashes, range)];
  const k = from + largestPowerOfTwoBelow(to - from);
  const [left, right] = [
    { from, to: k },
    { from: k, to },
  ];
  return m <= k
    ? [...subproof(leafHashes, left, m, b), rootOf(leafHashes, right)]
    : [...subproof(leafHashes, right, m, false), rootOf(leafHashes, left)];
}

function rootOf(leafHashes: readonly Uint8Array[], { from, to }: Range): Uint8Array {
  const tree = new TreeHasher();
  for (const hash of leafHashes.slice(from, to)) tree.append(hash);
  return tree.root();
}

/** Where a tree of `size` ≥ 2 leaves splits. */
function largestPowerOfTwoBelow(size: number): number {
  let k = 1;
  while (2 * k < size) k *= 2;
  return k;
}

function isPowerOfTwo(n: number): boolean {
  let rest = n;
  while (rest > 1 && !isOdd(rest)) rest /= 2;
  return rest === 1;
}

// Sizes reach 2^53 - 1, so no bitwise operators, which cut to 32 bits.
function isOdd(n: number): boolean {
  return n % 2 === 1;
}

function half(n: number): number {
  return Math.floor(n / 2);
}

function isNatural(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === 32;
}
