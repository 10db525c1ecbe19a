import type { PlainValue } from './canonical-cbor.ts';
import { type EquivocationBody, equivocationBody } from './equivocation.ts';
import { RecordError } from './error.ts';
import { type EvaluationBody, evaluationBody } from './evaluation.ts';
import { type ManifestBody, manifestBody } from './manifest.ts';
import { type ReserveBody, reserveBody } from './reserve.ts';
import { type RosterChangeBody, rosterChangeBody } from './roster-change.ts';
import { type RotationBody, rotationBody } from './rotation.ts';
import {
  bytes,
  type Check,
  integer,
  list,
  mismatch,
  nullable,
  object,
  oneOf,
  plain,
  text,
} from './schema.ts';
import type { SiteId } from './site-id.ts';
import { siteId } from './site-id-check.ts';
import { type UpdateBody, updateBody } from './update.ts';

/** The size and Merkle root of one author's log, as the record's author held it. */
export interface LogHead {
  readonly author: SiteId;
  /** Entries, at least 1. */
  readonly size: number;
  /** RFC 6962 root, 32 bytes. */
  readonly root: Uint8Array;
}

/** What every record says, whatever its kind. */
export interface RecordHeader {
  readonly kind: string;
  readonly version: 1;
  /** Record id of the study's manifest, 32 bytes; `null` in the manifest itself and nowhere else. */
  readonly study: Uint8Array | null;
  readonly author: SiteId;
  /** Place in the author's log, from 0, below 2^32. */
  readonly index: number;
  /** Record id of the author's record at `index - 1`, 32 bytes; `null` iff `index` is 0. */
  readonly previous: Uint8Array | null;
  /** The logs it was made from, strictly ascending by author, at most 256. */
  readonly heads: readonly LogHead[];
}

/** The bodies of the kinds that this version knows. */
export interface RecordBodies {
  readonly manifest: ManifestBody;
  readonly reserve: ReserveBody;
  readonly update: UpdateBody;
  readonly evaluation: EvaluationBody;
  readonly 'roster-change': RosterChangeBody;
  readonly rotation: RotationBody;
  readonly equivocation: EquivocationBody;
}

/** The kinds that this version knows. */
export type KnownKind = keyof RecordBodies;

/** A record of one known kind. */
export type RecordOf<K extends KnownKind> = RecordHeader & {
  readonly kind: K;
  readonly known: true;
  readonly body: RecordBodies[K];
};

/** A well-formed record of a kind that this version does not know: kept, reported, ignored by the fold. */
export type UnknownRecord = RecordHeader & { readonly known: false; readonly body: PlainValue };

/** One thing a site says. Test `known` first, then `kind` tells the body. */
export type ConsiliumRecord = { [K in KnownKind]: RecordOf<K> }[KnownKind] | UnknownRecord;

/** A record to be signed: as {@link ConsiliumRecord}, where a known kind needs no `known`. */
export type RecordDraft =
  | { [K in KnownKind]: Omit<RecordOf<K>, 'known'> & { readonly known?: true } }[KnownKind]
  | UnknownRecord;

const bodies: { readonly [K in KnownKind]: Check<RecordBodies[K]> } = {
  manifest: manifestBody,
  reserve: reserveBody,
  update: updateBody,
  evaluation: evaluationBody,
  'roster-change': rosterChangeBody,
  rotation: rotationBody,
  equivocation: equivocationBody,
};
const MAX_INDEX = 2 ** 32 - 1;
const MAX_HEADS = 256;
const KIND = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

const outer = object({
  kind: text(64, KIND),
  version: oneOf(1),
  study: nullable(bytes(32)),
  author: siteId,
  index: integer(0, MAX_INDEX),
  previous: nullable(bytes(32)),
  heads: list(
    object({ author: siteId, size: integer(1, MAX_INDEX + 1), root: bytes(32) }),
    0,
    MAX_HEADS,
  ),
  body: (value: unknown): unknown => value,
});

/** The media type of a kind. */
export function payloadTypeOf(kind: string): string {
  return `application/vnd.consilium.${kind}+cbor`;
}

/**
 * Checks that a decoded value is a whole record: every field there, none too many, every bound kept, header
 * fields consistent with each other.
 *
 * @throws {RecordError} `SCHEMA`, `SITE_ID`.
 */
export function parseRecord(value: unknown): ConsiliumRecord {
  const { body, ...header } = outer(value, 'record');
  checkHeader(header);
  switch (header.kind) {
    case 'manifest':
    case 'reserve':
    case 'update':
    case 'evaluation':
    case 'roster-change':
    case 'rotation':
    case 'equivocation':
      return known(header, header.kind, body);
    default:
      return { ...header, known: false, body: plain(MAX_UNKNOWN_BODY_BYTES)(body, 'record.body') };
  }
}

const MAX_UNKNOWN_BODY_BYTES = 256 * 1024;

function known(header: RecordHeader, kind: KnownKind, body: unknown): ConsiliumRecord {
  const path = 'record.body';
  switch (kind) {
    case 'manifest':
      return { ...header, kind, known: true, body: bodies.manifest(body, path) };
    case 'reserve':
      return { ...header, kind, known: true, body: bodies.reserve(body, path) };
    case 'update':
      return { ...header, kind, known: true, body: bodies.update(body, path) };
    case 'evaluation':
      return { ...header, kind, known: true, body: bodies.evaluation(body, path) };
    case 'roster-change':
      return { ...header, kind, known: true, body: bodies['roster-change'](body, path) };
    case 'rotation':
      return { ...header, kind, known: true, body: bodies.rotation(body, path) };
    case 'equivocation':
      return { ...header, kind, known: true, body: bodies.equivocation(body, path) };
  }
}

function checkHeader({ kind, study, index, previous, heads }: RecordHeader): void {
  if ((study === null) !== (kind === 'manifest')) {
    mismatch('record.study', 'null in a manifest and 32 bytes elsewhere', study);
  }
  if ((previous === null) !== (index === 0)) {
    mismatch('record.previous', 'null at index 0 and 32 bytes elsewhere', previous);
  }
  for (const [i, { author }] of heads.entries()) {
    const before = heads[i - 1];
    if (before !== undefined && before.author >= author) {
      mismatch('record.heads', 'authors in strictly ascending order');
    }
  }
}

/** Refuses a payload type that is not the one of `kind`. @throws {RecordError} `PAYLOAD_TYPE`. */
export function checkPayloadType(payloadType: string, kind: string): void {
  if (payloadType !== payloadTypeOf(kind)) {
    throw new RecordError('PAYLOAD_TYPE', `a record of kind ${kind} has another payload type`);
  }
}
