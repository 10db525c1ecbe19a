import { createHash } from 'node:crypto';
import type { BundleBytes } from './bundle.ts';
import type { BundleIndex } from './bundle-index.ts';
import { type BundleParts, outlineBundle, type PlannedBundle } from './plan-bundle.ts';
import { bundleBytes } from './write-bundle.ts';

/** For tests: what a forger changes between the files of a bundle and its index. */
export interface Forgery {
  /** Contents by file name, in their order; may be changed. */
  readonly files: Map<string, Uint8Array>;
  index: Omit<BundleIndex, 'files'>;
}

/** For tests: a whole bundle in memory, after a forger who knows the format went over it. */
export async function archive(
  parts: BundleParts,
  init: { payloads: boolean } = { payloads: true },
  forge: (forgery: Forgery) => void = () => undefined,
): Promise<Uint8Array> {
  const planned = await (await outlineBundle(parts, init)).plan();
  const files = new Map<string, Uint8Array>();
  for (const file of planned.files) files.set(file.name, await file.content());
  const { files: _, ...rest } = planned.index;
  const forgery: Forgery = { files, index: rest };
  forge(forgery);
  return bytesOf(replanned(forgery));
}

/** For tests: bytes as a file that is open. */
export function inMemory(bytes: Uint8Array): BundleBytes {
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.slice(offset, offset + length),
  };
}

/** For tests: all pieces of a bundle put together. */
export async function bytesOf(bundle: PlannedBundle): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bundleBytes(bundle)) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

function replanned({ files, index }: Forgery): PlannedBundle {
  const planned = [...files].map(([name, content]) => ({
    name,
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    content: async () => content,
  }));
  const indexed = planned.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 }));
  return { index: { ...index, files: indexed }, files: planned, bytes: Number.NaN };
}
