import { readFile } from 'node:fs/promises';
import { witnessQuorum } from '@consilium/log';
import { type LesionTask, networkLayout } from '@consilium/model';
import {
  type ManifestBody,
  openRecord,
  type PrivatePolicy,
  RecordError,
  type RosterEntry,
  type VerifiedRecord,
} from '@consilium/records';
import { found } from '@consilium/study';
import { encodePayload, quantize, splitLayout, takePart } from '@consilium/weights';
import { NodeError } from './error.ts';
import { exists, type SiteFolder } from './site-folder.ts';

/** Finest step of the study's weights: 2^-20, a range of ±2048. */
const gridExponent = -20;

/** What a founder decides. */
export interface StudyPlan {
  readonly name: string;
  readonly task: LesionTask;
  readonly rounds: ManifestBody['rounds'];
  /** Other members that must cosign a checkpoint of a log. @default `witnessQuorum` of all members, observers included */
  readonly witnessQuorum?: number | undefined;
  readonly roster: readonly RosterEntry[];
  /** Null promises nothing: profile `off`. */
  readonly privacy: PrivatePolicy | null;
  /** What the study begins from: the network's whole vector, every value a multiple of 2^-20. */
  readonly start: Float32Array;
}

/** The manifest of a plan and the payload of its initial weights. `digestOf` is SHA-256. */
export function foundStudy(
  plan: StudyPlan,
  digestOf: (bytes: Uint8Array) => Uint8Array,
): { manifest: ManifestBody; payload: Uint8Array } {
  const layout = networkLayout(plan.task.network);
  const { shared } = splitLayout(layout);
  const start = takePart(layout, shared, plan.start);
  // Half up, not stochastic: the initial weights are no release, and the same seed must found the same study.
  const half = (count: number): Uint8Array =>
    new Uint8Array(count).map((_, i) => (i % 4 === 3 ? 0x80 : 0));
  const { update } = quantize(shared, start, { bits: 32, gridExponent, random: half });
  const payload = encodePayload(update);
  const manifest: ManifestBody = {
    name: plan.name,
    task: structuredClone(plan.task) as unknown as ManifestBody['task'],
    layout: shared.tensors.map(({ name, shape }) => ({ name, shape })),
    initialWeights: { digest: digestOf(payload), bytes: payload.length },
    gridExponent,
    privacy: plan.privacy ?? { profile: 'off' },
    aggregation: { rule: 'weighted-mean' },
    rounds: plan.rounds,
    witnesses: { quorum: plan.witnessQuorum ?? witnessQuorum(plan.roster.length) },
    roster: plan.roster,
  };
  found(manifest);
  return { manifest, payload };
}

/** A manifest that was read from a file: the record, and its body by kind. */
export interface FoundingRecord {
  readonly verified: VerifiedRecord;
  readonly manifest: ManifestBody;
}

/**
 * Opens a founding file: one envelope that holds a manifest.
 * @throws {NodeError} `STUDY_MISSING` or `CONFIG` when the file is not there, not signed, or no manifest.
 * @throws {StudyError} `BAD_MANIFEST`.
 */
export async function readFounding(path: string): Promise<FoundingRecord> {
  if (!(await exists(path))) {
    throw new NodeError(
      'STUDY_MISSING',
      `there is no founding file at ${path}`,
      'ask the founder for it, then run `consilium study join FILE`',
    );
  }
  const verified = opened(await readFile(path), path);
  const { record } = verified;
  if (!record.known || record.kind !== 'manifest') {
    throw new NodeError(
      'CONFIG',
      `${path} holds a record of kind ${record.kind}, not a manifest`,
      'ask the founder for the founding file',
    );
  }
  found(record.body);
  return { verified, manifest: record.body };
}

/** The roster's entry of `site`. @throws {NodeError} `NOT_IN_ROSTER`. */
export function memberOf(manifest: ManifestBody, site: string): RosterEntry {
  const member = manifest.roster.find((entry) => entry.site === site);
  if (member === undefined) {
    throw new NodeError(
      'NOT_IN_ROSTER',
      `this site, ${site}, is not in the roster of ${manifest.name}`,
      'send the founder the output of `consilium identity show`',
    );
  }
  return member;
}

/** The study that a folder has joined. @throws {NodeError} `STUDY_MISSING`. */
export function readJoined(folder: SiteFolder): Promise<FoundingRecord> {
  return readFounding(folder.study);
}

function opened(bytes: Uint8Array, path: string): VerifiedRecord {
  try {
    return openRecord(bytes);
  } catch (cause) {
    if (!(cause instanceof RecordError)) throw cause;
    throw new NodeError(
      'CONFIG',
      `${path} is not a founding file: ${cause.message}`,
      'ask the founder for it again; a transfer may have cut or changed it',
      { cause },
    );
  }
}
