import { createHash } from 'node:crypto';
import { LogError } from './error.ts';

/** Makes an Ed25519 signature of 64 bytes with a key that it holds. */
export type Sign = (message: Uint8Array) => Uint8Array;

/** Whether an Ed25519 signature verifies, strictly. Must not throw on bytes, whatever they are. */
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** The key of a log, which signs its checkpoints. */
export interface LogKey {
  readonly type: 'ed25519';
  /** 1…255 bytes of UTF-8 without white space, control characters and `+`; the log's origin. */
  readonly name: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** The key of a witness, which signs what it saw of others' logs, and when. */
export interface WitnessKey {
  readonly type: 'cosignature';
  /** As a log's. */
  readonly name: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** A key whose signatures a note can bear. */
export type NoteKey = LogKey | WitnessKey;

/** One signature line. Whose it is and whether it verifies is not yet known. */
export interface NoteSignature {
  readonly name: string;
  /** See {@link noteKeyId}. */
  readonly keyId: number;
  /** What follows the key id, at least one byte. */
  readonly signature: Uint8Array;
}

/** A text with signatures. Not yet verified. */
export interface SignedNote {
  /** Lines, each with its newline. */
  readonly text: string;
  /** 1…{@link MAX_SIGNATURES}. */
  readonly signatures: readonly NoteSignature[];
}

/** The most that one note may take. */
export const MAX_NOTE_BYTES: number = 128 * 1024;
/** A note bears a log's signature and one of every member of the largest roster, and some to spare. */
export const MAX_SIGNATURES = 320;
/** More in one key's name serve nobody but who wants others to verify all day. */
const MAX_SIGNATURES_PER_KEY = 16;
const MAX_NAME_BYTES = 255;

const TYPE_BYTE = { ed25519: 0x01, cosignature: 0x04 } as const;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 4;
const NEWLINE = 0x0a;

/**
 * Reads a signed note from anybody's bytes: bounded, UTF-8, no control characters but newlines, a text, an empty
 * line, signature lines in their one form. `formatNote(parseNote(bytes))` is `bytes`. No signature is looked at.
 *
 * @throws {LogError} `NOTE` and nothing else, whatever the bytes.
 * @see https://c2sp.org/signed-note
 */
export function parseNote(bytes: Uint8Array): SignedNote {
  const note = decodeText(bytes, MAX_NOTE_BYTES);
  if (note === undefined) {
    throw refused(
      `is not UTF-8 text of at most ${MAX_NOTE_BYTES} bytes without control characters`,
    );
  }
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw refused('has no empty line before its signatures');
  const lines = note.slice(end + 2, -1).split('\n', MAX_SIGNATURES + 1);
  if (lines.length > MAX_SIGNATURES) throw refused(`bears more than ${MAX_SIGNATURES} signatures`);
  return { text: note.slice(0, end + 1), signatures: lines.map(parseNoteSignature) };
}

/** The bytes of a note. @throws {LogError} `NOTE` when nobody would accept it. */
export function formatNote(note: SignedNote): Uint8Array {
  const lines = note.signatures.map((signature) => `${formatNoteSignature(signature)}\n`);
  const bytes = encodeText(`${note.text}\n${lines.join('')}`);
  if (parseNote(bytes).text !== note.text) throw refused('has a text that is not one');
  return bytes;
}

/** Reads a signature line, without its newline. @throws {LogError} `NOTE`. */
export function parseNoteSignature(line: string): NoteSignature {
  const [, name = '', encoded = ''] = /^— ([^ ]+) ([^ ]+)$/u.exec(line) ?? [];
  const bytes = decodeBase64(encoded);
  if (!isKeyName(name) || bytes === undefined || bytes.length <= KEY_ID_BYTES) {
    throw refused('has a line after its text that is not a signature');
  }
  const keyId = new DataView(bytes.buffer).getUint32(0);
  return { name, keyId, signature: bytes.slice(KEY_ID_BYTES) };
}

/** A signature line, without its newline. @throws {LogError} `NOTE` when nobody would accept it. */
export function formatNoteSignature({ name, keyId, signature }: NoteSignature): string {
  const bytes = new Uint8Array(KEY_ID_BYTES + signature.length);
  new DataView(bytes.buffer).setUint32(0, keyId);
  bytes.set(signature, KEY_ID_BYTES);
  const line = `— ${name} ${encodeBase64(bytes)}`;
  if (parseNoteSignature(line).keyId !== keyId) throw refused('has a key id beyond 32 bits');
  return line;
}

/**
 * The first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key) as a number. It finds a key and proves nothing:
 * others can be made that share it.
 *
 * @throws {RangeError} when the name cannot name a key, or the public key is not 32 bytes.
 */
export function noteKeyId({ name, type, publicKey }: NoteKey): number {
  if (!isKeyName(name)) throw new RangeError('a key has a name without white space and plus sign');
  if (publicKey.length !== KEY_BYTES) {
    throw new RangeError(`an Ed25519 public key has ${KEY_BYTES} bytes, got ${publicKey.length}`);
  }
  const hash = createHash('sha256').update(`${name}\n`).update(typed(type, publicKey));
  return hash.digest().readUInt32BE(0);
}

/** A key as text, `<name>+<key id>+<type and public key>`, for configuration. @throws {RangeError} as {@link noteKeyId}. */
export function formatVerifierKey(key: NoteKey): string {
  return `${key.name}+${hexOf(noteKeyId(key))}+${encodeBase64(typed(key.type, key.publicKey))}`;
}

/** Reads {@link formatVerifierKey}. @throws {LogError} `NOTE_KEY` for any other text. */
export function parseVerifierKey(text: string): NoteKey {
  const [, name = '', id, encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.{44})$/u.exec(text) ?? [];
  const [typeByte, ...publicKey] = decodeBase64(encoded) ?? [];
  if (isKeyName(name) && publicKey.length === KEY_BYTES) {
    const key = { name, publicKey: Uint8Array.from(publicKey) };
    for (const type of ['ed25519', 'cosignature'] as const) {
      const typedKey: NoteKey = { type, ...key };
      if (typeByte === TYPE_BYTE[type] && hexOf(noteKeyId(typedKey)) === id) return typedKey;
    }
  }
  throw new LogError('NOTE_KEY', 'wanted a verifier key: <name>+<key id>+<Ed25519 key in base64>');
}

/**
 * The signatures in a key's name and id; whether they are by it, only verification tells.
 *
 * @throws {LogError} `NOTE_SIGNATURE` when there are more than 16.
 */
export function signaturesOf(note: SignedNote, key: NoteKey): NoteSignature[] {
  const keyId = noteKeyId(key);
  const signatures = note.signatures.filter(
    (signature) => signature.name === key.name && signature.keyId === keyId,
  );
  if (signatures.length > MAX_SIGNATURES_PER_KEY) {
    throw new LogError(
      'NOTE_SIGNATURE',
      `the note bears ${signatures.length} signatures in the name of ${key.name}`,
    );
  }
  return signatures;
}

/**
 * Checks that a log signed a note. Signatures of others are not looked at.
 *
 * @throws {LogError} `NOTE_SIGNATURE` when there is no signature in the key's name, or one that does not verify.
 */
export function checkNoteSignature(note: SignedNote, key: LogKey, verify: Verify): void {
  const signatures = signaturesOf(note, key);
  const message = encodeText(note.text);
  const isValid = ({ signature }: NoteSignature): boolean =>
    signature.length === 64 && verify(key.publicKey, message, signature);
  if (signatures.length === 0) {
    throw new LogError('NOTE_SIGNATURE', `the note is not signed by ${key.name}`);
  }
  if (!signatures.every(isValid)) {
    throw new LogError(
      'NOTE_SIGNATURE',
      `a signature in the name of ${key.name} is not by its key`,
    );
  }
}

/** The text's UTF-8 bytes. */
export function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text whose UTF-8 bytes these are, all of them; `undefined` beyond `maxBytes` and for control characters other than newline. */
export function decodeText(bytes: Uint8Array, maxBytes: number): string | undefined {
  if (bytes.length > maxBytes) return undefined;
  if (bytes.some((byte) => byte < 0x20 && byte !== NEWLINE)) return undefined;
  try {
    // Else a byte order mark would vanish, and the text would no longer be what was signed.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Base 64 of RFC 4648 §4, with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Reads {@link encodeBase64}; `undefined` for any other text, including other forms of the same bytes. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Buffer.from(text, 'base64')); // skips what it does not know, so compare
  return encodeBase64(bytes) === text ? bytes : undefined;
}

/** Whether a text can name a key. */
function isKeyName(name: string): boolean {
  const bytes = encodeText(name);
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES || !name.isWellFormed()) return false;
  return bytes.every((byte) => byte > 0x20) && !/[\p{White_Space}+]/u.test(name);
}

function typed(type: NoteKey['type'], publicKey: Uint8Array): Uint8Array {
  return Uint8Array.of(TYPE_BYTE[type], ...publicKey);
}

function hexOf(keyId: number): string {
  return keyId.toString(16).padStart(8, '0');
}

function refused(what: string): LogError {
  return new LogError('NOTE', `the note ${what}`);
}
