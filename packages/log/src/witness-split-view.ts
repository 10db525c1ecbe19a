import { sameId } from './chain.ts';
import { openCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
import { LogError } from './error.ts';
import type { LogKey, Verify } from './signed-note.ts';

/**
 * Two checkpoints of one log and size with different roots, both signed by the log: a proof, complete in itself, that its
 * author tells different stories.
 */
export interface SplitView {
  /** The note that came first, as far as its finder knows. */
  readonly first: Uint8Array;
  readonly second: Uint8Array;
}

/** Whether two checkpoints of one log cannot both be true, as their sizes and roots alone tell. */
export function contradicts(a: VerifiedCheckpoint, b: VerifiedCheckpoint): boolean {
  return a.origin === b.origin && a.size === b.size && !sameId(a.root, b.root);
}

/**
 * Whether the notes prove that the log of `logKey` told two stories. Whoever has the key can check it alone. Never throws on
 * bytes, whatever they are.
 */
export function provesSplitView(
  { first, second }: SplitView,
  logKey: LogKey,
  verify: Verify,
): boolean {
  try {
    return contradicts(
      openCheckpoint(first, logKey, verify),
      openCheckpoint(second, logKey, verify),
    );
  } catch (error) {
    if (error instanceof LogError) return false;
    throw error;
  }
}
