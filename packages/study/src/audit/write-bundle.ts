import { createHash } from 'node:crypto';
import type { BundleBytes } from './bundle.ts';
import { encodeIndex, indexName } from './bundle-index.ts';
import type { PlannedBundle, PlannedFile } from './plan-bundle.ts';
import { blockBytes, endBytes, isZero, paddingBytes, tarHeader } from './tar.ts';

/** Where the writing of a bundle may go on: so many files, and all bytes before `offset`, are there as they must be. */
export interface ResumePoint {
  /** Files behind the index. */
  readonly files: number;
  readonly offset: number;
}

/**
 * The bytes of a bundle from a point on, in pieces: a whole file at most is held in memory.
 * @param from where {@link resumePoint} says; the beginning by default
 * @throws {StudyError} `BUNDLE_INCOMPLETE`.
 */
export async function* bundleBytes(
  { index, files }: PlannedBundle,
  from: ResumePoint | null = null,
): AsyncGenerator<Uint8Array> {
  if (from === null) yield* archivedFile(indexName, encodeIndex(index));
  for (const file of files.slice(from?.files ?? 0)) {
    yield* archivedFile(file.name, await file.content());
  }
  yield new Uint8Array(endBytes);
}

/**
 * Looks how much of a bundle is in a file that was being written when something stopped it: the longest beginning of whole files whose every byte is right.
 * Null when not even the index is.
 */
export async function resumePoint(
  { index, files }: PlannedBundle,
  partial: BundleBytes,
): Promise<ResumePoint | null> {
  const wanted = Buffer.concat([...archivedFile(indexName, encodeIndex(index))]);
  if (partial.size < wanted.length) return null;
  const got = await partial.read(0, wanted.length);
  if (Buffer.compare(got, wanted) !== 0) return null;
  let offset = wanted.length;
  for (const [count, file] of files.entries()) {
    if (!(await isWritten(file, partial, offset))) return { files: count, offset };
    offset += archivedLength(file.bytes);
  }
  return { files: files.length, offset };
}

async function isWritten(
  file: PlannedFile,
  partial: BundleBytes,
  offset: number,
): Promise<boolean> {
  const length = archivedLength(file.bytes);
  if (offset + length > partial.size) return false;
  const header = await partial.read(offset, blockBytes);
  if (Buffer.compare(header, tarHeader(file)) !== 0) return false;
  const hash = createHash('sha256');
  for (let done = 0; done < file.bytes; done += pieceBytes) {
    const piece = Math.min(pieceBytes, file.bytes - done);
    hash.update(await partial.read(offset + blockBytes + done, piece));
  }
  if (hash.digest('hex') !== file.sha256) return false;
  const padding = paddingBytes(file.bytes);
  return padding === 0 || isZero(await partial.read(offset + length - padding, padding));
}

const pieceBytes = 2 ** 20;

function* archivedFile(name: string, content: Uint8Array): Generator<Uint8Array> {
  yield tarHeader({ name, bytes: content.length });
  if (content.length > 0) yield content;
  const padding = paddingBytes(content.length);
  if (padding > 0) yield new Uint8Array(padding);
}

function archivedLength(bytes: number): number {
  return blockBytes + bytes + paddingBytes(bytes);
}
