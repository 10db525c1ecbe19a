import { sameId } from './chain.ts';
import { LogError } from './error.ts';
import {
  checkNoteSignature,
  decodeBase64,
  decodeText,
  encodeBase64,
  encodeText,
  formatNote,
  type LogKey,
  noteKeyId,
  parseNote,
  type Sign,
  type SignedNote,
  type Verify,
} from './signed-note.ts';
import { emptyRoot } from './tree.ts';

/** How long a log is, and the root over it, as its author says. */
export interface Checkpoint {
  /** Names the log, and no other; 1…255 bytes of UTF-8 without control characters. */
  readonly origin: string;
  /** Leaves, 0…2^53 - 1. */
  readonly size: number;
  /** RFC 6962 root, 32 bytes. */
  readonly root: Uint8Array;
  /** Further lines that the log signed and nobody checks, none of them empty. Our logs have none. */
  readonly extensions: readonly string[];
}

declare const verified: unique symbol;

/** A checkpoint that its log signed. Only {@link openCheckpoint} and {@link signCheckpoint} make one. */
export interface VerifiedCheckpoint extends Checkpoint {
  readonly [verified]: true;
  /** The note that it came in. Signatures of others than the log are not verified. */
  readonly note: SignedNote;
}

/** A log's key with what signs by it. */
export interface LogSigner extends LogKey {
  readonly sign: Sign;
}

const MAX_ORIGIN_BYTES = 255;

/**
 * Opens a checkpoint from anybody: a well-formed note whose text is a checkpoint, of the log that `logKey` names, signed by
 * that key. Whether the log really has that root, and whether anybody else was told the same, is not known from it.
 *
 * @throws {LogError} `NOTE`, `CHECKPOINT`, `NOTE_SIGNATURE` and nothing else, whatever the bytes.
 * @see https://c2sp.org/tlog-checkpoint
 */
export function openCheckpoint(
  bytes: Uint8Array,
  logKey: LogKey,
  verify: Verify,
): VerifiedCheckpoint {
  const note = parseNote(bytes);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== logKey.name) {
    throw new LogError('CHECKPOINT', `the checkpoint is not of the log ${logKey.name}`);
  }
  checkNoteSignature(note, logKey, verify);
  return verifiedCheckpoint({ ...checkpoint, note });
}

/**
 * Signs how long the log is and the root over it. The signer MUST never sign two checkpoints of which neither log grew from
 * the other: each of these is a proof against it.
 *
 * @throws {RangeError} when there is no such tree, or the signer's key or signature is malformed.
 */
export function signCheckpoint(
  { size, root }: { readonly size: number; readonly root: Uint8Array },
  signer: LogSigner,
): VerifiedCheckpoint {
  const keyId = noteKeyId(signer);
  const checkpoint = { origin: signer.name, size, root: new Uint8Array(root), extensions: [] };
  const text = formatCheckpoint(checkpoint);
  const signature = signer.sign(encodeText(text));
  if (signature.length !== 64) throw new RangeError('an Ed25519 signature has 64 bytes');
  const note = { text, signatures: [{ name: signer.name, keyId, signature }] };
  return verifiedCheckpoint({ ...checkpoint, note });
}

/** The bytes of the note that a checkpoint came in. */
export function encodeCheckpoint({ note }: VerifiedCheckpoint): Uint8Array {
  return formatNote(note);
}

/**
 * Reads the text of a note as a checkpoint. `formatCheckpoint(parseCheckpoint(text))` is `text`.
 *
 * @throws {LogError} `CHECKPOINT` for any other text, and for a size beyond 2^53 - 1 or a size of 0 with a root that no empty tree has.
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : [];
  const [origin = '', sizeLine = '', rootLine = '', ...extensions] = lines;
  const size = parseDecimal(sizeLine);
  const root = decodeBase64(rootLine);
  if (!isOrigin(origin)) throw refused('does not begin with an origin of 1…255 bytes');
  if (size === undefined) throw refused('has no size on its second line');
  if (root?.length !== 32) throw refused('has no root on its third line');
  if (extensions.includes('')) throw refused('has an empty line');
  if (size === 0 && !sameId(root, emptyRoot())) throw refused('gives an empty tree a root');
  return { origin, size, root, extensions };
}

/** The text of a checkpoint. @throws {RangeError} when nobody would accept it. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root, extensions } = checkpoint;
  const lines = [origin, `${size}`, encodeBase64(root), ...extensions];
  const text = lines.map((line) => `${line}\n`).join('');
  const lineCount = text.split('\n').length - 1;
  if (lineCount !== lines.length || !isReadable(text)) {
    throw new RangeError(`there is no checkpoint of size ${size} with these fields`);
  }
  return text;
}

/** A natural number in decimal without leading zeros; `undefined` for any other text and beyond 2^53 - 1. */
export function parseDecimal(text: string): number | undefined {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function isOrigin(line: string): boolean {
  const bytes = encodeText(line);
  return bytes.length > 0 && decodeText(bytes, MAX_ORIGIN_BYTES) === line;
}

function isReadable(text: string): boolean {
  try {
    parseCheckpoint(text);
    return true;
  } catch (error) {
    if (error instanceof LogError) return false;
    throw error;
  }
}

function refused(what: string): LogError {
  return new LogError('CHECKPOINT', `the checkpoint ${what}`);
}

function verifiedCheckpoint(fields: Omit<VerifiedCheckpoint, typeof verified>): VerifiedCheckpoint {
  return fields as VerifiedCheckpoint;
}
