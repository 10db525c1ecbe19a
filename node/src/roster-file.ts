import { readFile } from 'node:fs/promises';
import {
  checkRosterChange,
  decodeCanonical,
  encodeCanonical,
  RecordError,
  type RosterChangeBody,
} from '@consilium/records';
import { NodeError } from './error.ts';
import { exists, writeDurably } from './site-folder.ts';

/** A change of a study's roster as it goes from member to member for approval. */
export interface RosterFile {
  /** Record id of the study's manifest, 32 bytes. */
  readonly study: Uint8Array;
  readonly body: RosterChangeBody;
}

/** Writes the file whole or not at all. @throws {RecordError} `SCHEMA`, `SITE_ID` for a change that nobody would take. */
export async function writeRosterFile(path: string, { study, body }: RosterFile): Promise<void> {
  await writeDurably(path, encodeCanonical({ study, ...checkRosterChange(body) }));
}

/**
 * Reads a file from anybody; no approval is looked at.
 * @throws {NodeError} `ROSTER_FILE` when it is not there, or is no change of a roster.
 */
export async function readRosterFile(path: string): Promise<RosterFile> {
  if (!(await exists(path))) throw notOne(path, 'it is not there');
  try {
    return parseRosterFile(await readFile(path));
  } catch (cause) {
    if (!(cause instanceof RecordError)) throw cause;
    throw notOne(path, cause.message, { cause });
  }
}

/** @throws {RecordError} `CBOR`, `SCHEMA`, `SITE_ID`. */
function parseRosterFile(bytes: Uint8Array): RosterFile {
  const value = decodeCanonical(bytes);
  if (typeof value !== 'object' || value === null || !('study' in value)) {
    throw new RecordError('SCHEMA', 'it names no study');
  }
  const { study, ...body } = value;
  if (!(study instanceof Uint8Array) || study.length !== 32) {
    throw new RecordError('SCHEMA', 'the study is not 32 bytes');
  }
  return { study, body: checkRosterChange(body) };
}

function notOne(path: string, reason: string, options?: ErrorOptions): NodeError {
  return new NodeError(
    'ROSTER_FILE',
    `${path} is no change of a roster: ${reason}`,
    'ask for it again, or make one with `consilium roster propose`',
    options,
  );
}
