import { StudyError } from '../error.ts';
import type { Heads } from '../history.ts';

/** A file of a bundle, as the index has it. */
export interface IndexedFile {
  readonly name: string;
  readonly bytes: number;
  /** Of the content, hexadecimal. */
  readonly sha256: string;
}

/** The first file of a bundle: what it is about, and every other file in the order in which they lie behind it. */
export interface BundleIndex {
  readonly format: 'consilium audit bundle';
  readonly version: 1;
  /** Record id of the manifest, hexadecimal. */
  readonly study: string;
  /** Whether the payloads of updates are in it, or only their digests in the records. */
  readonly payloads: boolean;
  /** The state that is shown: its weights digest, and the logs that it is said to come from. */
  readonly state: { readonly digest: string; readonly heads: Heads };
  readonly files: readonly IndexedFile[];
}

/** Names of the files that every bundle has. */
export const indexName = 'index.json';
export const foundingName = 'manifest.cbor';
export const initialName = 'initial.payload';
export const stateName = 'state.payload';

/** Bounds what is read before anything of a bundle is known: some 300,000 files. */
export const largestIndexBytes: number = 64 * 2 ** 20;

export function logFileName(author: string): string {
  return `logs/${author}.log`;
}

export function forkFileName(author: string): string {
  return `forks/${author}.log`;
}

/** @param size records under the checkpoint */
export function checkpointFileName(author: string, size: number): string {
  return `checkpoints/${author}/${String(size).padStart(10, '0')}.note`;
}

export function payloadFileName(digest: string): string {
  return `payloads/${digest}.payload`;
}

/** The digest that a payload's file name holds; null for any other file. */
export function digestOfName(name: string): string | null {
  return /^payloads\/([0-9a-f]{64})\.payload$/.exec(name)?.[1] ?? null;
}

/** The author that a file of a log, of a fork or of a checkpoint is about; null for any other file. */
export function authorOfName(kind: 'checkpoints' | 'forks' | 'logs', name: string): string | null {
  const [folder, file = ''] = name.split('/', 2);
  return folder === kind ? file.replace(/\.log$/, '') : null;
}

/** The index as it lies in a bundle: JSON, its keys in this order, one space of indentation. */
export function encodeIndex(index: BundleIndex): Uint8Array {
  const { format, version, study, payloads, state, files } = index;
  const ordered = {
    format,
    version,
    study,
    payloads,
    state: {
      digest: state.digest,
      heads: state.heads.map(({ author, size, root }) => ({ author, size, root })),
    },
    files: files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
  };
  return new TextEncoder().encode(`${JSON.stringify(ordered, null, 1)}\n`);
}

/**
 * Reads {@link encodeIndex}, and nothing that it would not have written. Names are not looked at.
 * @throws {StudyError} `BUNDLE_FORMAT`.
 */
export function parseIndex(bytes: Uint8Array): BundleIndex {
  const index = jsonOf(bytes);
  if (!isIndex(index)) throw refused('is not that of an audit bundle of this version');
  if (Buffer.compare(encodeIndex(index), bytes) !== 0) throw refused('is not in its one form');
  if (new Set(index.files.map(({ name }) => name)).size !== index.files.length) {
    throw refused('names a file twice');
  }
  return index;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof TypeError)) throw cause;
    throw refused('is not JSON', { cause });
  }
}

function isIndex(value: unknown): value is BundleIndex {
  return (
    isObject(value) &&
    value['format'] === 'consilium audit bundle' &&
    value['version'] === 1 &&
    isHash(value['study']) &&
    typeof value['payloads'] === 'boolean' &&
    isObject(value['state']) &&
    isHash(value['state']['digest']) &&
    isListOf(value['state']['heads'], isHead) &&
    isListOf(value['files'], isFile)
  );
}

function isHead(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['author'] === 'string' &&
    isCount(value['size']) &&
    isHash(value['root'])
  );
}

function isFile(value: unknown): boolean {
  return (
    isObject(value) &&
    typeof value['name'] === 'string' &&
    isCount(value['bytes']) &&
    isHash(value['sha256'])
  );
}

function isListOf(value: unknown, check: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(check);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isHash(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function refused(what: string, options?: ErrorOptions): StudyError {
  return new StudyError('BUNDLE_FORMAT', `the index ${what}`, options);
}
