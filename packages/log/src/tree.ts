import { createHash } from 'node:crypto';

/** Hash of a leaf: SHA-256(0x00 ‖ data), 32 bytes. @see RFC 6962 §2.1 */
export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0x00), data);
}

/** Hash of an inner node: SHA-256(0x01 ‖ left ‖ right), 32 bytes. @see RFC 6962 §2.1 */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0x01), left, right);
}

/** Root of the tree without leaves: SHA-256 of nothing. */
export function emptyRoot(): Uint8Array {
  return sha256();
}

/** Root over leaf data, by RFC 6962's definition. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const tree = new TreeHasher();
  for (const leaf of leaves) tree.append(leafHash(leaf));
  return tree.root();
}

/**
 * A tree that only grows, in O(log n) memory: the roots of the largest complete subtrees from the left, its
 * *compact range*. One subtree for each one-bit of `size`, largest first.
 */
export class TreeHasher {
  #size: number;
  readonly #range: Uint8Array[];

  /**
   * An empty tree, or the one whose size and compact range were kept.
   *
   * @throws {RangeError} when `size` is not a safe integer ≥ 0, or `range` is not one 32-byte hash for each of its one-bits.
   */
  constructor(size: number = 0, range: readonly Uint8Array[] = []) {
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`no tree has size ${size}`);
    if (range.length !== oneBits(size) || range.some((hash) => hash.length !== 32)) {
      throw new RangeError(`a tree of size ${size} has ${oneBits(size)} subtrees of 32 bytes`);
    }
    this.#size = size;
    this.#range = range.map((hash) => new Uint8Array(hash));
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** Adds a leaf by its hash (see {@link leafHash}). @throws {RangeError} when it is not 32 bytes. */
  append(hash: Uint8Array): void {
    if (hash.length !== 32) throw new RangeError(`a leaf hash has 32 bytes, got ${hash.length}`);
    let subtree: Uint8Array = new Uint8Array(hash);
    // Each trailing one-bit of the size is a complete subtree of the same height as ours: join them.
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      subtree = nodeHash(this.#range.pop() ?? subtree, subtree);
    }
    this.#range.push(subtree);
    this.#size += 1;
  }

  /** Root of the tree as it is now, 32 bytes. */
  root(): Uint8Array {
    if (this.#size === 0) return emptyRoot();
    return this.#range.reduceRight((right, left) => nodeHash(left, right)).slice();
  }

  /** The roots of the complete subtrees, from the left; with `size` all that is needed to go on. */
  compactRange(): Uint8Array[] {
    return this.#range.map((hash) => hash.slice());
  }
}

function oneBits(n: number): number {
  let count = 0;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
