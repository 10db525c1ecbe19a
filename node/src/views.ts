import type { LogStore } from '@consilium/log';
import { openRecord, type RosterEntry, type SiteId } from '@consilium/records';
import {
  type BlobReader,
  type MemberState,
  type Spending,
  StudyFold,
  type StudyState,
} from '@consilium/study';
import type { Activity } from './activity.ts';
import type { FoundingRecord } from './founding.ts';
import type { LocalFinding } from './local-finding.ts';
import { settledRound } from './pacing.ts';
import { type PrivacyView, privacyOf } from './privacy-view.ts';
import type { WitnessingView } from './witnessing/witnessing-view.ts';

/** What `status` shows, for people and for programs. */
export interface Status {
  readonly site: { readonly id: SiteId; readonly name: string; readonly role: string };
  readonly study: { readonly id: string; readonly name: string };
  readonly privacy: PrivacyView;
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
    /** The key that speaks for it, another than `site` after a rotation. */
    key: SiteId;
    name: string;
    role: string;
    round: number;
    isRemoved: boolean;
    connected: boolean | null;
    /** Null unless it is a trainer of a study that promises privacy. */
    spending: Spending | null;
  }[];
  readonly witnesses: WitnessingView;
  readonly findings: StudyState['findings'];
  /** What the running node found out about its own computing. */
  readonly localFindings: readonly LocalFinding[];
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
  witnesses: WitnessingView,
  localFindings: readonly LocalFinding[] = [],
): Status {
  const { manifest } = founding;
  const members = state?.members ?? manifest.roster.map(foundingMember);
  const nameOf = new Map(members.map(({ site, name }) => [site, name]));
  const member = members.find(({ keys }) => keys.at(-1) === self);
  return {
    site: { id: self, name: member?.name ?? '', role: member?.role ?? '' },
    study: { id: Buffer.from(founding.verified.id).toString('hex'), name: manifest.name },
    privacy: privacyOf(manifest),
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
    members: members.map(({ site, keys, name, role, lastRound, isRemoved, spending }) => ({
      site,
      key: keys.at(-1) ?? site,
      name,
      role,
      round: lastRound,
      isRemoved,
      connected: connected(keys.at(-1) ?? site),
      spending,
    })),
    witnesses,
    findings: state?.findings ?? [],
    localFindings,
    evaluations: state?.evaluations ?? [],
  };
}

/** A member as the manifest has it, for as long as there is no state. */
function foundingMember({
  site,
  name,
  role,
}: RosterEntry): Pick<
  MemberState,
  'isRemoved' | 'keys' | 'lastRound' | 'name' | 'role' | 'site' | 'spending'
> {
  return { site, keys: [site], name, role, lastRound: 0, isRemoved: false, spending: null };
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

/** What a record says, in a few words. */
export function summaryOf(record: ReturnType<typeof openRecord>['record']): string {
  if (!record.known) return 'a kind that this version does not know';
  switch (record.kind) {
    case 'manifest':
      return `${record.body.name}: ${record.body.roster.length} sites, ${record.body.rounds.count} rounds`;
    case 'reserve':
      return `round ${record.body.round}, ${record.body.steps} private steps, ε ${record.body.epsilon.toFixed(3)} in all`;
    case 'update':
      return `round ${record.body.round}, ${record.body.payload.bytes} bytes, payload ${Buffer.from(record.body.payload.digest).toString('hex').slice(0, 16)}…`;
    case 'roster-change':
      return `change ${record.body.number}: ${record.body.change.kind}, ${record.body.approvals.length} approvals`;
    case 'rotation':
      return `hands on to ${record.body.to}`;
    case 'equivocation':
      return `PROVES A SPLIT VIEW of ${record.body.site}`;
    case 'evaluation':
      return `round ${record.body.round}, ${record.body.metrics.map(({ name, value }) => `${name} ${value.toFixed(3)}`).join(', ')}`;
  }
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
