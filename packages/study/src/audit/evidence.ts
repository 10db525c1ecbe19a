import type { SiteId, VerifiedRecord } from '@consilium/records';
import type { Decisions } from '../decide.ts';
import type { Founding } from '../manifest.ts';
import type { RosterHistory } from '../roster-history.ts';
import type { Bundle } from './bundle.ts';
import type { BundleLog } from './read-logs.ts';

/** What the records of a bundle come to, before any payload is looked at. */
export interface Evidence {
  readonly bundle: Bundle;
  /** Record id of the manifest. */
  readonly study: Uint8Array;
  readonly manifest: VerifiedRecord;
  readonly founding: Founding;
  readonly logs: ReadonlyMap<SiteId, BundleLog>;
  /** Who is in the study, and what of each log counts, by every record of the bundle. */
  readonly history: RosterHistory;
  /** What follows from the records that count. */
  readonly decisions: Decisions;
}

/** The record of `author` at `index`, if the bundle has all up to it. */
export function recordAt(
  { logs }: Pick<Evidence, 'logs'>,
  { author, index }: { readonly author: SiteId; readonly index: number },
): VerifiedRecord['record'] | undefined {
  return logs.get(author)?.records[index]?.record;
}

/** What people call the member that a key spoke for; the key itself for a stranger’s. */
export function nameOf({ history }: Pick<Evidence, 'history'>, key: SiteId): string {
  const speech = history.speeches.find(({ voices }) => voices.some((each) => each.key === key));
  return speech?.member.name ?? key;
}
