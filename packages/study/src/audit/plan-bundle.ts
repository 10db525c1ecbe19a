import { createHash } from 'node:crypto';
import { merkleRoot, parseCheckpoint, parseNote } from '@consilium/log';
import { openRecord, type SiteId } from '@consilium/records';
import { weightsDigest } from '@consilium/weights';
import type { Decisions } from '../decide.ts';
import { StudyError } from '../error.ts';
import type { Heads } from '../history.ts';
import type { Founding } from '../manifest.ts';
import { StudyFold } from '../replay.ts';
import type { BlobReader } from '../sum.ts';
import type { AuditOptions } from './audit-progress.ts';
import {
  type BundleIndex,
  checkpointFileName,
  encodeIndex,
  forkFileName,
  foundingName,
  initialName,
  logFileName,
  payloadFileName,
  stateName,
} from './bundle-index.ts';
import { encodeLogFile } from './log-file.ts';
import { shownPayload, shownWeights } from './shown-state.ts';
import { blockBytes, endBytes, paddingBytes } from './tar.ts';

/** What a node has of a study. */
export interface BundleParts {
  /** The manifest’s envelope. */
  readonly founding: Uint8Array;
  /** Every log, with its envelopes in order. */
  readonly logs: ReadonlyMap<SiteId, readonly Uint8Array[]>;
  /** Two envelopes for one place, of every author that forked. */
  readonly forks: ReadonlyMap<SiteId, readonly Uint8Array[]>;
  /** Checkpoints of logs, each with all cosignatures that are known, in any order. */
  readonly notes: readonly { readonly author: SiteId; readonly note: Uint8Array }[];
  readonly blobs: BundleBlobs;
}

/** Payloads by digest, and their sizes: `undefined` for one that is not here. */
export interface BundleBlobs extends BlobReader {
  size(digest: string): Promise<number | undefined>;
}

/** A file that goes into a bundle. */
export interface PlannedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** @throws {StudyError} `BUNDLE_INCOMPLETE` when it has gone meanwhile. */
  content(): Promise<Uint8Array>;
}

/** A bundle before it is written: equal parts give equal bytes. */
export interface PlannedBundle {
  readonly index: BundleIndex;
  readonly files: readonly PlannedFile[];
  /** Of the whole archive. */
  readonly bytes: number;
}

/** What a bundle will take, as the records tell it, before any payload is read. */
export interface BundleOutline {
  readonly bytes: number;
  readonly records: number;
  readonly updates: number;
  /** Payloads (hexadecimal digests) that the records name and that are not here. The shown state is without them, and an audit says so. */
  readonly missing: readonly string[];
  /** Reads what the shown state is made of, and plans the bundle. @throws {StudyError} `NO_INITIAL_WEIGHTS`, `BUNDLE_INCOMPLETE`. */
  plan(options?: AuditOptions): Promise<PlannedBundle>;
}

/**
 * Lays out the bundle of a study as far as it is known here: every record, the checkpoints, the initial weights, the state that follows, and with `payloads` what all of that state is
 * made of, in the order of rounds.
 *
 * @throws {StudyError} `BAD_MANIFEST`, `NO_MANIFEST`, `NO_INITIAL_WEIGHTS`. @throws {RecordError} for a record that is none.
 */
export async function outlineBundle(
  parts: BundleParts,
  { payloads }: { readonly payloads: boolean },
): Promise<BundleOutline> {
  const study = folded(parts);
  const { layout, manifest } = study.founding;
  const { digest } = manifest.initialWeights;
  const initial = await blobFile(initialName, hex(digest), parts.blobs);
  if (initial === null) {
    throw new StudyError('NO_INITIAL_WEIGHTS', 'the initial weights are not here yet');
  }
  const { here, missing } = await payloadFiles(study.decisions, parts.blobs);
  const records = recordFiles(parts);
  const archive = (state: PlannedFile, shown: string): PlannedBundle => {
    const files = [...records, initial, state, ...(payloads ? here : [])];
    const index: BundleIndex = {
      format: 'consilium audit bundle',
      version: 1,
      study: study.id,
      payloads,
      state: { digest: shown, heads: study.heads },
      files: files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
    };
    return { index, files, bytes: archivedBytes(index) };
  };
  // Any weights take the same room.
  const someState = fileOf(stateName, shownPayload(study.founding, new Int32Array(layout.length)));
  return {
    bytes: archive(someState, study.id).bytes,
    records: [...parts.logs.values()].reduce((sum, { length }) => sum + length, 0),
    updates: study.decisions.updates.length,
    missing,
    async plan(options = {}) {
      const { founding, decisions } = study;
      const weights = await shownWeights(founding, decisions.updates, parts.blobs, options);
      const state = fileOf(stateName, shownPayload(founding, weights));
      return archive(state, weightsDigest(layout, manifest.gridExponent, weights));
    },
  };
}

interface FoldedStudy {
  readonly id: string;
  readonly founding: Founding;
  readonly decisions: Decisions;
  readonly heads: Heads;
}

function folded({ founding: envelope, logs, forks }: BundleParts): FoldedStudy {
  const manifest = openRecord(envelope);
  const fold = new StudyFold(manifest.id);
  fold.add(manifest);
  for (const envelopes of [...logs.values(), ...forks.values()]) {
    for (const each of envelopes) fold.add(openRecord(each));
  }
  const founding = fold.founding();
  const decisions = fold.decisions();
  if (founding === null || decisions === null) {
    throw new StudyError('NO_MANIFEST', 'the founding record is no manifest');
  }
  return { id: hex(manifest.id), founding, decisions, heads: headsOf(fold) };
}

function headsOf(fold: StudyFold): Heads {
  return [...fold.prefixes()]
    .filter(([, records]) => records.length > 0)
    .map(([author, records]) => {
      const root = hex(merkleRoot(records.map(({ leaf }) => leaf)));
      return { author, size: records.length, root };
    })
    .sort((a, b) => (a.author < b.author ? -1 : 1));
}

function archivedBytes(index: BundleIndex): number {
  return [encodeIndex(index).length, ...index.files.map(({ bytes }) => bytes)].reduce(
    (sum, bytes) => sum + blockBytes + bytes + paddingBytes(bytes),
    endBytes,
  );
}

/** Everything that is signed: small, and at hand. */
function recordFiles({ founding, logs, forks, notes }: BundleParts): PlannedFile[] {
  const checkpoints = notes.map(({ author, note }): [string, Uint8Array] => [
    checkpointFileName(author, parseCheckpoint(parseNote(note).text).size),
    note,
  ]);
  const groups: [string, Uint8Array][][] = [
    [...logs].map(([author, log]) => [logFileName(author), encodeLogFile(log)]),
    [...forks].map(([author, fork]) => [forkFileName(author), encodeLogFile(fork)]),
    [...new Map(checkpoints)],
  ];
  const sorted = groups.flatMap((group) => group.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return [[foundingName, founding] as const, ...sorted].map(([name, bytes]) => fileOf(name, bytes));
}

/** Every payload that the records name and let count, once, in the order in which an audit adds them up. */
async function payloadFiles(
  { updates }: Decisions,
  blobs: BundleBlobs,
): Promise<{ here: PlannedFile[]; missing: string[] }> {
  const digests = updates.toSorted((a, b) => a.round - b.round).map(({ payload }) => payload);
  const here: PlannedFile[] = [];
  const missing: string[] = [];
  for (const digest of new Set(digests)) {
    const file = await blobFile(payloadFileName(digest), digest, blobs);
    if (file === null) missing.push(digest);
    else here.push(file);
  }
  return { here, missing };
}

async function blobFile(
  name: string,
  digest: string,
  blobs: BundleBlobs,
): Promise<PlannedFile | null> {
  const bytes = await blobs.size(digest);
  if (bytes === undefined) return null;
  const content = async (): Promise<Uint8Array> => {
    const blob = await blobs.get(digest);
    if (blob?.length === bytes) return blob;
    throw new StudyError('BUNDLE_INCOMPLETE', `payload ${digest} is not here any more`);
  };
  return { name, bytes, sha256: digest, content };
}

function fileOf(name: string, bytes: Uint8Array): PlannedFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, bytes: bytes.length, sha256, content: async () => bytes };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
