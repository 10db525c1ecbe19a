import { openCheckpoint, parseDecimal, type VerifiedCheckpoint } from './checkpoint.ts';
import { type Cosignature, openCosignatures } from './cosignature.ts';
import { LogError } from './error.ts';
import { verifyInclusion } from './proof.ts';
import {
  decodeBase64,
  decodeText,
  encodeBase64,
  encodeText,
  type LogKey,
  parseNote,
  type Verify,
  type WitnessKey,
} from './signed-note.ts';

/** What shows offline that a leaf is in a log that witnesses watch. Not yet verified. */
export interface TlogProof {
  /** What the application put beside, at least one byte, or `null`. Nobody signed it. */
  readonly extra: Uint8Array | null;
  /** Place of the leaf in the log. */
  readonly index: number;
  /** The hashes from the leaf's sibling up to the root, 0…63 of 32 bytes each. */
  readonly inclusion: readonly Uint8Array[];
  /** The checkpoint's note with its cosignatures. */
  readonly checkpoint: Uint8Array;
}

/** Whose word is believed. */
export interface WitnessPolicy {
  readonly logKey: LogKey;
  /** Keys of others than the log, no key twice. */
  readonly witnesses: readonly WitnessKey[];
  /** How many of `witnesses` must have cosigned, see `witnessQuorum`. With 0, nobody but the log is asked. */
  readonly quorum: number;
}

declare const verified: unique symbol;

/** A leaf that is in a log, as the log and a quorum of witnesses say. Only {@link verifyTlogProof} makes one. */
export interface ProvenLeaf {
  readonly [verified]: true;
  readonly index: number;
  readonly leafHash: Uint8Array;
  readonly checkpoint: VerifiedCheckpoint;
  readonly cosignatures: readonly Cosignature[];
}

/** The most that one proof may take. */
export const MAX_TLOG_PROOF_BYTES: number = 256 * 1024;
const MAX_INCLUSION_HASHES = 63;
const FIRST_LINE = 'c2sp.org/tlog-proof@v1';

/**
 * Verifies that the leaf with that hash is in the log of `policy.logKey`, at the place that the proof names, in a tree that
 * the log signed and enough witnesses cosigned.
 *
 * Who shows different logs to different people needs enough witnesses for each: with `witnessQuorum`, two of
 * them at least would have to break their word.
 *
 * @throws {LogError} `TLOG_PROOF`, `NOTE`, `CHECKPOINT`, `NOTE_SIGNATURE`, `QUORUM`, `INCLUSION` and nothing else, whatever the bytes.
 * @throws {RangeError} when nothing could fulfil the policy, or one key would count twice.
 * @see https://c2sp.org/tlog-proof
 */
export function verifyTlogProof(
  bytes: Uint8Array,
  leafHash: Uint8Array,
  policy: WitnessPolicy,
  verify: Verify,
): ProvenLeaf {
  checkPolicy(policy);
  const { index, inclusion, checkpoint: note } = parseTlogProof(bytes);
  const checkpoint = openCheckpoint(note, policy.logKey, verify);
  const cosignatures = openCosignatures(checkpoint, policy.witnesses, verify);
  checkQuorum(cosignatures, policy);
  const { size, root } = checkpoint;
  if (!verifyInclusion({ leafHash, index, size, root, proof: inclusion })) {
    throw new LogError('INCLUSION', `the leaf is not shown to be leaf ${index} of ${size}`);
  }
  return provenLeaf({ index, leafHash: new Uint8Array(leafHash), checkpoint, cosignatures });
}

/**
 * Reads a proof from anybody's bytes: bounded, and in its one form. `formatTlogProof(parseTlogProof(bytes))` is `bytes`.
 *
 * @throws {LogError} `TLOG_PROOF`, `NOTE` and nothing else, whatever the bytes.
 */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  const text = decodeText(bytes, MAX_TLOG_PROOF_BYTES);
  if (text === undefined) {
    throw refused(`is not UTF-8 text of at most ${MAX_TLOG_PROOF_BYTES} bytes`);
  }
  const end = text.indexOf('\n\n');
  const [firstLine, ...lines] = end < 0 ? [] : text.slice(0, end).split('\n');
  if (firstLine !== FIRST_LINE) throw refused(`does not begin with the line ${FIRST_LINE}`);
  const extra = lines[0]?.startsWith('extra ') ? parseExtra(lines[0]) : null;
  const [indexLine = '', ...hashLines] = extra === null ? lines : lines.slice(1);
  const [, decimal = ''] = /^index ([0-9]+)$/.exec(indexLine) ?? [];
  const index = parseDecimal(decimal);
  if (index === undefined) throw refused('names no leaf');
  if (hashLines.length > MAX_INCLUSION_HASHES) throw refused('has more hashes than a tree is high');
  const checkpoint = encodeText(text.slice(end + 2));
  parseNote(checkpoint);
  return { extra, index, inclusion: hashLines.map(parseHash), checkpoint };
}

/** The bytes of a proof. @throws {LogError} `TLOG_PROOF`, `NOTE` when nobody would accept it. */
export function formatTlogProof({ extra, index, inclusion, checkpoint }: TlogProof): Uint8Array {
  const lines = [
    FIRST_LINE,
    ...(extra === null ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...inclusion.map(encodeBase64),
  ];
  const head = encodeText(`${lines.join('\n')}\n\n`);
  const bytes = new Uint8Array(head.length + checkpoint.length);
  bytes.set(head);
  bytes.set(checkpoint, head.length);
  parseTlogProof(bytes);
  return bytes;
}

function parseExtra(line: string): Uint8Array {
  const extra = decodeBase64(line.slice('extra '.length));
  if (extra === undefined || extra.length === 0) throw refused('has extra data that is none');
  return extra;
}

function parseHash(line: string): Uint8Array {
  const hash = decodeBase64(line);
  if (hash?.length !== 32) throw refused('has a line that is not a hash');
  return hash;
}

function checkPolicy({ logKey, witnesses, quorum }: WitnessPolicy): void {
  if (!Number.isSafeInteger(quorum) || quorum < 0 || quorum > witnesses.length) {
    throw new RangeError(`no ${quorum} of ${witnesses.length} witnesses can cosign`);
  }
  // By public key: what a witness signs does not hold its name, so one signature would count under each.
  const keys = new Set([logKey, ...witnesses].map(({ publicKey }) => encodeBase64(publicKey)));
  if (keys.size !== witnesses.length + 1) {
    throw new RangeError('a witness counts once, and the log is not its own witness');
  }
}

function checkQuorum(cosignatures: readonly Cosignature[], { quorum }: WitnessPolicy): void {
  if (cosignatures.length < quorum) {
    throw new LogError('QUORUM', `${cosignatures.length} witnesses cosigned, not ${quorum}`);
  }
}

function refused(what: string): LogError {
  return new LogError('TLOG_PROOF', `the proof ${what}`);
}

function provenLeaf(fields: Omit<ProvenLeaf, typeof verified>): ProvenLeaf {
  return fields as ProvenLeaf;
}
