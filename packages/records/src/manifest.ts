import { createLayout, isLocal, layoutLimits, WeightsError } from '@consilium/weights';
import type { PlainValue } from './canonical-cbor.ts';
import { RecordError } from './error.ts';
import { type PrivacyPolicy, privacyPolicy } from './privacy-policy.ts';
import {
  bytes,
  type Check,
  distinct,
  integer,
  line,
  list,
  mismatch,
  object,
  oneOf,
  plainObject,
  text,
} from './schema.ts';
import type { SiteId } from './site-id.ts';
import { siteId } from './site-id-check.ts';

/** Content-addressed bytes: SHA-256 (32 bytes) and length. */
export interface BlobReference {
  readonly digest: Uint8Array;
  readonly bytes: number;
}

/** `trainer` trains and evaluates, `validator` only evaluates, `observer` only replays. */
export type SiteRole = 'trainer' | 'validator' | 'observer';

/** One site of a study, as its manifest declares it. */
export interface RosterEntry {
  readonly site: SiteId;
  /** For people, 1…64 characters. */
  readonly name: string;
  readonly role: SiteRole;
  /** Declared and rounded number of training patients; at least 1 for a trainer, 0 for everybody else. */
  readonly patients: number;
  /** Multiaddrs at which the site can be reached, at most 16; none for an outbound-only site. */
  readonly addresses: readonly string[];
}

/** The founding record of a study. The study's id is the record id of its manifest. */
export interface ManifestBody {
  /** For people, 1…128 characters. */
  readonly name: string;
  /** What is learnt, at most 64 KiB; opaque here. */
  readonly task: { readonly [key: string]: PlainValue };
  /** The shared tensors in canonical order, at least one, within the weights package's `layoutLimits`. */
  readonly layout: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly initialWeights: BlobReference;
  /** The state's weights are integers times 2^gridExponent, -60…0. */
  readonly gridExponent: number;
  readonly privacy: PrivacyPolicy;
  readonly aggregation: { readonly rule: 'weighted-mean' };
  readonly rounds: {
    /** 1…100,000. */
    readonly count: number;
    /** 1 s … 30 days. */
    readonly deadlineSeconds: number;
    /** Trainers whose updates let a round go on at its deadline, 1…number of trainers. */
    readonly quorum: number;
  };
  readonly witnesses: {
    /** Other members that must cosign a checkpoint of a log before it counts as witnessed, 0…255 and fewer than the roster's sites. */
    readonly quorum: number;
  };
  /** 1…256 sites, each once, at least one of them a trainer. */
  readonly roster: readonly RosterEntry[];
}

const MAX_ROSTER = 256;
const MAX_WITNESSES = 255;

export const siteRole: Check<SiteRole> = oneOf('trainer', 'validator', 'observer');

const entryFields: Check<RosterEntry> = object({
  site: siteId,
  name: line(64),
  role: siteRole,
  patients: integer(0, 10_000_000),
  addresses: list(text(256, /^\/[\x21-\x7e]+$/), 0, 16),
});

/** Checks one site of a roster. @throws {RecordError} `SCHEMA`, `SITE_ID`. */
export const rosterEntry: Check<RosterEntry> = (value, path) => {
  const entry = entryFields(value, path);
  if ((entry.role === 'trainer') !== entry.patients > 0) {
    mismatch(`${path}.patients`, 'at least 1 for a trainer and 0 for others', entry.patients);
  }
  distinct(entry.addresses, (address) => address, `${path}.addresses`);
  return entry;
};

/** Bytes by digest, 1 byte … 2 GiB. */
export const blobReference: Check<BlobReference> = object({
  digest: bytes(32),
  bytes: integer(1, 2 ** 31),
});

const fields: Check<ManifestBody> = object({
  name: line(128),
  task: plainObject(64 * 1024),
  layout: list(
    object({
      name: text(128, /^[\x21-\x7e]+$/),
      shape: list(integer(1, layoutLimits.values), 0, 8),
    }),
    1,
    layoutLimits.tensors,
  ),
  initialWeights: blobReference,
  gridExponent: integer(-60, 0),
  privacy: privacyPolicy,
  aggregation: object({ rule: oneOf('weighted-mean') }),
  rounds: object({
    count: integer(1, 100_000),
    deadlineSeconds: integer(1, 30 * 86_400),
    quorum: integer(1, MAX_ROSTER),
  }),
  witnesses: object({ quorum: integer(0, MAX_WITNESSES) }),
  roster: list(rosterEntry, 1, MAX_ROSTER),
});

/** Checks a manifest's body. @throws {RecordError} `SCHEMA`, `SITE_ID`. */
export const manifestBody: Check<ManifestBody> = (value, path) => {
  const manifest = fields(value, path);
  checkLayout(manifest, `${path}.layout`);
  checkTrainable(manifest, `${path}.privacy.trainable`);
  checkRoster(manifest, path);
  return manifest;
};

function checkLayout({ layout }: ManifestBody, path: string): void {
  if (layout.some((tensor) => isLocal(tensor.name))) {
    mismatch(path, 'shared tensors only: a site/ tensor never leaves its site');
  }
  try {
    createLayout(layout);
  } catch (cause) {
    if (!(cause instanceof WeightsError)) throw cause;
    throw new RecordError('SCHEMA', `${path}: ${cause.message}`, { cause });
  }
}

/** Names that are trained are names of the layout, in its order: then two manifests that mean the same are the same. */
function checkTrainable({ layout, privacy }: ManifestBody, path: string): void {
  if (privacy.profile === 'off') return;
  const wanted = new Set(privacy.trainable);
  const ordered = layout.map(({ name }) => name).filter((name) => wanted.has(name));
  if (ordered.length !== wanted.size) mismatch(path, 'names of the layout’s tensors');
  if (ordered.some((name, i) => name !== privacy.trainable[i]))
    mismatch(path, 'the layout’s order');
}

function checkRoster({ roster, rounds, witnesses }: ManifestBody, path: string): void {
  distinct(roster, (entry) => entry.site, `${path}.roster`);
  const trainers = roster.filter(({ role }) => role === 'trainer').length;
  if (rounds.quorum > trainers) {
    mismatch(`${path}.rounds.quorum`, `at most the ${trainers} trainers`, rounds.quorum);
  }
  if (witnesses.quorum >= roster.length) {
    const others = `at most the ${roster.length - 1} other sites`;
    mismatch(`${path}.witnesses.quorum`, others, witnesses.quorum);
  }
}
