import { type RosterEntry, rosterEntry, type SiteRole, siteRole } from './manifest.ts';
import {
  bytes,
  type Check,
  distinct,
  integer,
  list,
  mismatch,
  object,
  oneOf,
  someBytes,
} from './schema.ts';
import type { SiteId } from './site-id.ts';
import { siteId } from './site-id-check.ts';

/** A place in one key's log: the index `at`, 0…2^32 − 1. */
export interface LogPosition {
  readonly key: SiteId;
  readonly at: number;
}

/**
 * One change of a running study's roster. `site` is a member's name: the first key that it had. What `until` lists are the keys that have spoken for
 * the member since the last change that named one, first to last, and before which index each one's records count.
 */
export type RosterChange =
  | { readonly kind: 'add'; readonly entry: RosterEntry }
  | { readonly kind: 'remove'; readonly site: SiteId; readonly until: readonly LogPosition[] }
  | {
      readonly kind: 'rotate';
      readonly site: SiteId;
      readonly until: readonly LogPosition[];
      /** The key that speaks from here on, in a log of its own from index 0. */
      readonly to: SiteId;
      /** Private steps that the approvers know the member to have reserved; its budget goes on from no fewer. */
      readonly spentSteps: number;
    }
  | {
      readonly kind: 'role';
      readonly site: SiteId;
      readonly role: SiteRole;
      /** As in a {@link RosterEntry}: 0 unless a trainer. */
      readonly patients: number;
      /** From this record on, and in every later key's log. */
      readonly from: LogPosition;
    }
  | {
      readonly kind: 'cap';
      readonly site: SiteId;
      readonly patients: number;
      readonly from: LogPosition;
    };

/** One member's word for a change: a signature over `rosterChangeMessage`. */
export interface RosterApproval {
  /** The key that signed. */
  readonly site: SiteId;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  /** Where the roster names an earlier key of the member: the envelopes of the rotations that lead from there to `site`. */
  readonly rotations: readonly Uint8Array[];
}

/** What the approvers sign, apart from the study. */
export interface ProposedChange {
  /** Changes of this study up to and with this one, 1…1,000. */
  readonly number: number;
  /** Change id of the change before, 32 bytes; the study id for the first. */
  readonly previous: Uint8Array;
  readonly change: RosterChange;
}

/** A change of the roster, with the members' approvals. Whose log carries it means nothing. */
export interface RosterChangeBody extends ProposedChange {
  /** Strictly ascending by `site`, at most 256. */
  readonly approvals: readonly RosterApproval[];
}

const MAX_CHANGES = 1_000;
const MAX_APPROVALS = 256;
/** Keys that may have followed one another between two changes that name one. */
const MAX_KEYS = 8;
const MAX_ROTATION_BYTES = 4_096;

const index = integer(0, 2 ** 32 - 1);
const position: Check<LogPosition> = object({ key: siteId, at: index });
const positions = list(position, 1, MAX_KEYS);
const until: Check<LogPosition[]> = (value, path) => {
  const checked = positions(value, path);
  distinct(checked, ({ key }) => key, path);
  return checked;
};
const patients = integer(0, 10_000_000);

const changes = {
  add: object({ kind: oneOf('add'), entry: rosterEntry }),
  remove: object({ kind: oneOf('remove'), site: siteId, until }),
  rotate: object({
    kind: oneOf('rotate'),
    site: siteId,
    until,
    to: siteId,
    spentSteps: integer(0, 1_000_000_000),
  }),
  role: object({ kind: oneOf('role'), site: siteId, role: siteRole, patients, from: position }),
  cap: object({
    kind: oneOf('cap'),
    site: siteId,
    patients: integer(1, 10_000_000),
    from: position,
  }),
} satisfies { [K in RosterChange['kind']]: Check<RosterChange & { kind: K }> };

const rosterChange: Check<RosterChange> = (value, path) => {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : null;
  const check = typeof kind === 'string' && Object.hasOwn(changes, kind) ? kind : null;
  if (check === null) return mismatch(`${path}.kind`, `one of ${Object.keys(changes).join(', ')}`);
  const checked = changes[check as RosterChange['kind']](value, path);
  if (checked.kind === 'role' && (checked.role === 'trainer') !== checked.patients > 0) {
    mismatch(`${path}.patients`, 'at least 1 for a trainer and 0 for others', checked.patients);
  }
  return checked;
};

const fields: Check<RosterChangeBody> = object({
  number: integer(1, MAX_CHANGES),
  previous: bytes(32),
  change: rosterChange,
  approvals: list(
    object({
      site: siteId,
      signature: bytes(64),
      rotations: list(someBytes(MAX_ROTATION_BYTES), 0, MAX_KEYS),
    }),
    0,
    MAX_APPROVALS,
  ),
});

/** Checks a roster change's body; no approval is looked at. @throws {RecordError} `SCHEMA`, `SITE_ID`. */
export const rosterChangeBody: Check<RosterChangeBody> = (value, path) => {
  const body = fields(value, path);
  for (const [i, { site }] of body.approvals.entries()) {
    const before = body.approvals[i - 1];
    if (before !== undefined && before.site >= site) {
      mismatch(`${path}.approvals`, 'keys in strictly ascending order');
    }
  }
  return body;
};

/** Checks a change that came in a file. @throws {RecordError} `SCHEMA`, `SITE_ID`. */
export function checkRosterChange(value: unknown): RosterChangeBody {
  return rosterChangeBody(value, 'change');
}

/** Checks a change that nobody has approved yet. @throws {RecordError} `SCHEMA`, `SITE_ID`. */
export function checkProposedChange({ number, previous, change }: ProposedChange): ProposedChange {
  const body = rosterChangeBody({ number, previous, change, approvals: [] }, 'change');
  return { number: body.number, previous: body.previous, change: body.change };
}
