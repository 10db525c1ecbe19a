import type { LogStore } from '@consilium/log';
import type { ManifestBody } from '@consilium/records';
import { openRecord, type SiteId } from '@consilium/records';
import { type BlobReader, StudyFold, type StudyState } from '@consilium/study';
import { createLayout, fromGrid, toSafetensors } from '@consilium/weights';
import type { FoundingRecord } from './founding.ts';
import { settledRound } from './pacing.ts';
import type { Activity } from './site.ts';

/** What `status` shows, for people and for programs. */
export interface Status {
  readonly site: { readonly id: SiteId; readonly name: string; readonly role: string };
  readonly study: { readonly id: string; readonly name: string };
  /** Loud by design: `off` means that updates are not differentially private. */
  readonly privacy: { readonly profile: string; readonly warning: string };
  readonly activity: Activity | null;
  readonly rounds: {
    readonly count: number;
    readonly settled: number;
    readonly absent: readonly { round: number; sites: readonly string[] }[];
  };
  /** Null while the manifest's initial weights are not here. */
  readonly state: {
    readonly digest: string;
    readonly complete: boolean;
    readonly heads: StudyState['heads'];
  } | null;
  readonly members: readonly {
    site: SiteId;
    name: string;
    role: string;
    round: number;
    connected: boolean | null;
  }[];
  readonly findings: StudyState['findings'];
  readonly evaluations: StudyState['evaluations'];
}

/** Whether each member is connected; null for a site that is not running, or for itself. */
export type Connected = (site: SiteId) => boolean | null;

export function statusOf(
  self: SiteId,
  founding: FoundingRecord,
  state: StudyState | null,
  activity: Activity | null,
  connected: Connected,
): Status {
  const { manifest } = founding;
  const nameOf = new Map(manifest.roster.map(({ site, name }) => [site, name]));
  const member = manifest.roster.find(({ site }) => site === self);
  return {
    site: { id: self, name: member?.name ?? '', role: member?.role ?? '' },
    study: { id: Buffer.from(founding.verified.id).toString('hex'), name: manifest.name },
    privacy: {
      profile: manifest.privacy.profile,
      warning: 'updates are NOT differentially private',
    },
    activity,
    rounds: {
      count: manifest.rounds.count,
      settled: state === null ? 0 : settledRound(state),
      absent: (state?.rounds ?? [])
        .filter(({ absent }) => absent.length > 0)
        .map(({ round, absent }) => ({
          round,
          sites: absent.map((site) => nameOf.get(site) ?? site),
        })),
    },
    state:
      state === null
        ? null
        : { digest: state.digest, complete: state.missing.length === 0, heads: state.heads },
    members: manifest.roster.map(({ site, name, role }) => ({
      site,
      name,
      role,
      round: state?.members.find((entry) => entry.site === site)?.lastRound ?? 0,
      connected: connected(site),
    })),
    findings: state?.findings ?? [],
    evaluations: state?.evaluations ?? [],
  };
}

/** One record as `log show` prints it: what it says, without bytes that mean nothing to a reader. */
export interface LogLine {
  readonly author: SiteId;
  readonly index: number;
  readonly id: string;
  readonly kind: string;
  readonly summary: string;
}

export async function logLines(log: LogStore, site: SiteId | null): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (const { author, size } of log.heads()) {
    if (site !== null && author !== site) continue;
    let from = 0;
    while (from < size) {
      const entries = await log.read(author, from, { maxEntries: 256, maxBytes: 4 * 2 ** 20 });
      if (entries.length === 0) break;
      lines.push(...entries.map(lineOf));
      from += entries.length;
    }
  }
  return lines;
}

function lineOf(entry: Uint8Array): LogLine {
  const { id, record } = openRecord(entry);
  return {
    author: record.author,
    index: record.index,
    id: Buffer.from(id).toString('hex'),
    kind: record.kind,
    summary: summaryOf(record),
  };
}

function summaryOf(record: ReturnType<typeof openRecord>['record']): string {
  if (!record.known) return 'a kind that this version does not know';
  switch (record.kind) {
    case 'manifest':
      return `${record.body.name}: ${record.body.roster.length} sites, ${record.body.rounds.count} rounds`;
    case 'update':
      return `round ${record.body.round}, ${record.body.payload.bytes} bytes, payload ${Buffer.from(record.body.payload.digest).toString('hex').slice(0, 16)}…`;
    case 'evaluation':
      return `round ${record.body.round}, ${record.body.metrics.map(({ name, value }) => `${name} ${value.toFixed(3)}`).join(', ')}`;
  }
}

/** The shared model of a state, in the safetensors format, with its lineage as metadata. */
export function modelFile(state: StudyState): Uint8Array {
  const { manifest } = state;
  return toSafetensors(
    createLayout(manifest.layout),
    fromGrid(state.weights, manifest.gridExponent),
    {
      study: state.study,
      study_name: manifest.name,
      state_digest: state.digest,
      heads: JSON.stringify(state.heads),
      rounds: String(state.rounds.length),
      privacy_profile: manifest.privacy.profile,
      task: JSON.stringify(manifest.task satisfies ManifestBody['task']),
      intended_use: 'Research use only: not a medical device.',
    },
  );
}

/** Folds what is on disk; for tools, while no node runs. */
export async function stateOnDisk(
  founding: FoundingRecord,
  log: LogStore,
  blobs: BlobReader,
): Promise<StudyState> {
  const fold = new StudyFold(founding.verified.id);
  fold.add(founding.verified);
  for (const { author, size } of log.heads()) {
    for (let from = 0; from < size; ) {
      const entries = await log.read(author, from, { maxEntries: 256, maxBytes: 4 * 2 ** 20 });
      for (const entry of entries) fold.add(openRecord(entry));
      from += entries.length;
    }
  }
  for (const { entries } of await log.forks())
    for (const entry of entries) fold.add(openRecord(entry));
  return fold.state(blobs);
}
