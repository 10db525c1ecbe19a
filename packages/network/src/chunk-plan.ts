import { chunkCount } from './blob-message.ts';
import type { ChunkPlan } from './blob-source.ts';

// How far ahead of the first missing chunk a faster source may run: bounds what waits in memory to 8 MiB.
const MAX_AHEAD = 16;

/**
 * A plan for chunks `first` to the last of a blob of `size` bytes, which are written in order by `write`.
 * At most 16 chunks wait for one that is missing.
 */
export function createChunkPlan(
  size: number,
  first: number,
  write: (bytes: Uint8Array) => Promise<void>,
): ChunkPlan {
  const total = chunkCount(size);
  const wanted = Array.from({ length: total - first }, (_, i) => first + i);
  const waiting = new Map<number, Uint8Array>();
  let written = first;
  let writing: Promise<void> = Promise.resolve();
  let change = Promise.withResolvers<void>();

  const announce = (): void => {
    change.resolve();
    change = Promise.withResolvers<void>();
  };
  const writeReady = async (): Promise<void> => {
    for (let bytes = waiting.get(written); bytes !== undefined; bytes = waiting.get(written)) {
      await write(bytes);
      waiting.delete(written);
      written += 1;
    }
    announce();
  };
  return {
    next: () => {
      const index = wanted[0];
      if (index === undefined || index > written + MAX_AHEAD) {
        return undefined;
      }
      wanted.shift();
      return index;
    },
    giveBack: (index) => {
      if (index >= written && !waiting.has(index)) {
        wanted.push(index);
        wanted.sort((a, b) => a - b);
      }
      announce();
    },
    deliver: (index, bytes) => {
      waiting.set(index, bytes);
      // One after the other; a failed write is the failure of every later one too.
      writing = writing.then(writeReady);
      return writing;
    },
    changed: () => change.promise,
    get complete() {
      return written === total;
    },
  };
}
