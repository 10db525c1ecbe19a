import { sameId } from './chain.ts';
import { openCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
import { LogError } from './error.ts';
import { consistencyProof, verifyConsistency } from './proof.ts';
import { formatNote, type LogKey, signaturesOf, type Verify } from './signed-note.ts';
import { TreeHasher } from './tree.ts';

/**
 * Two checkpoints of one log that cannot both be true, with the hashes that show it: the larger tree's first leaves, as many as
 * the smaller tree has, have another root than the smaller tree. Complete in itself, like a split view, but of any two sizes.
 */
export interface Contradiction {
  /** Note of the checkpoint of the smaller tree; of one of the two, where they have one size. */
  readonly smaller: Uint8Array;
  readonly larger: Uint8Array;
  /** Root of the larger tree's first leaves, as many as the smaller tree has; 32 bytes. */
  readonly root: Uint8Array;
  /** Consistency proof from there to the larger tree, at most 63 hashes; none between equal sizes. */
  readonly proof: readonly Uint8Array[];
}

/**
 * The size of the smaller tree, when both notes are signed by the log and the proof shows that they contradict each other;
 * `undefined` otherwise. Never throws on bytes, whatever they are. Whoever has the log's key can check it alone.
 *
 * Where each leaf names the one before it, two trees of that size differ in their last leaf at the latest.
 */
export function contradictedSize(
  { smaller, larger, root, proof }: Contradiction,
  logKey: LogKey,
  verify: Verify,
): number | undefined {
  if (root.length !== 32) return undefined;
  try {
    const one = openCheckpoint(smaller, logKey, verify);
    const other = openCheckpoint(larger, logKey, verify);
    const [size1, size2, root2] = [one.size, other.size, other.root];
    if (sameId(root, one.root)) return undefined;
    return verifyConsistency({ size1, root1: root, size2, root2, proof }) ? size1 : undefined;
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}

/**
 * The contradiction between two checkpoints of one log; `undefined` when the larger tree grew from the smaller one.
 *
 * @param leafHashes the leaves of the larger tree; where both have one size they are not looked at
 * @throws {RangeError} when the checkpoints are not of `logKey`'s log, `smaller` is the larger one, or the leaves are not those of the larger tree.
 */
export function contradictionOf(
  smaller: VerifiedCheckpoint,
  larger: VerifiedCheckpoint,
  logKey: LogKey,
  leafHashes: readonly Uint8Array[],
): Contradiction | undefined {
  if (smaller.origin !== logKey.name || larger.origin !== logKey.name) {
    throw new RangeError(`both checkpoints must be of ${logKey.name}`);
  }
  if (smaller.size > larger.size) {
    throw new RangeError(`the smaller tree has ${smaller.size} leaves, the larger ${larger.size}`);
  }
  const { root, proof } = beginningOf(larger, smaller.size, leafHashes);
  if (sameId(root, smaller.root)) return undefined;
  return { smaller: bareNote(smaller, logKey), larger: bareNote(larger, logKey), root, proof };
}

/** A checkpoint's note with one signature of its log: what else was added is left out. */
export function bareNote({ note }: VerifiedCheckpoint, logKey: LogKey): Uint8Array {
  return formatNote({ text: note.text, signatures: signaturesOf(note, logKey).slice(0, 1) });
}

/** The root of a tree's first `size` leaves, and the proof that the tree grew from there. */
function beginningOf(
  tree: VerifiedCheckpoint,
  size: number,
  leafHashes: readonly Uint8Array[],
): { root: Uint8Array; proof: Uint8Array[] } {
  if (size === tree.size) return { root: tree.root, proof: [] };
  const leaves = leafHashes.slice(0, tree.size);
  if (leaves.length !== tree.size || !sameId(rootOf(leaves), tree.root)) {
    throw new RangeError(`the leaves are not those of the tree of ${tree.size}`);
  }
  // Every tree grew from the empty one, so that there is nothing to show.
  return {
    root: rootOf(leaves.slice(0, size)),
    proof: size === 0 ? [] : consistencyProof(leaves, size),
  };
}

function rootOf(leafHashes: readonly Uint8Array[]): Uint8Array {
  const tree = new TreeHasher();
  for (const hash of leafHashes) tree.append(hash);
  return tree.root();
}
