import type { EntryPlace } from './entry.ts';
import { leafHash, TreeHasher } from './tree.ts';

/** Size, RFC 6962 root and last id of one author's log. */
export interface LogHead {
  readonly author: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** `id` of the last entry; `null` iff `size` is 0. */
  readonly last: Uint8Array | null;
}

/** One author's hash chain, in O(log n) memory. */
export interface Chain {
  head(): LogHead;
  /** Whether `place` comes next: the index is the size, and `previous` is the last id. */
  fits(place: EntryPlace): boolean;
  /** The chain with `place` at its end; this one stays as it is. `place` must fit. */
  with(place: EntryPlace): Chain;
}

/** An author's chain before its first entry. */
export function emptyChain(author: string): Chain {
  return chainOf(author, new TreeHasher(), null);
}

function chainOf(author: string, tree: TreeHasher, last: Uint8Array | null): Chain {
  const head: LogHead = { author, size: tree.size, root: tree.root(), last };
  return {
    head: () => head,
    fits: ({ index, previous }) => index === tree.size && sameId(previous, last),
    with({ id, leaf }) {
      const longer = new TreeHasher(tree.size, tree.compactRange());
      longer.append(leafHash(leaf));
      return chainOf(author, longer, new Uint8Array(id));
    },
  };
}

/** Whether two ids (or their absence) are the same. */
export function sameId(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
}
