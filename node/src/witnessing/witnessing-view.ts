import type { LogStore } from '@consilium/log';
import type { SiteId } from '@consilium/records';
import type { NoteBook } from './note-book.ts';
import type { Suspicions } from './suspicions.ts';
import type { WitnessCircle } from './witness-circle.ts';

/** How far one log is here, is signed, and is witnessed. */
export interface WatchedLog {
  readonly site: SiteId;
  /** The member's, for people. */
  readonly name: string;
  /** Records here. */
  readonly size: number;
  /** Records under the newest checkpoint that is known; 0 before the first. */
  readonly signedSize: number;
  /** Records under the newest checkpoint that enough members cosigned. */
  readonly witnessedSize: number;
  /** How many that are. */
  readonly quorum: number;
  /** Who can cosign, and whether they have cosigned the newest checkpoint. */
  readonly witnesses: readonly {
    readonly site: SiteId;
    readonly name: string;
    readonly hasCosigned: boolean;
  }[];
}

/** A site that signed two stories. */
export interface SplitViewSeen {
  readonly site: SiteId;
  readonly name: string;
  /** Records under the checkpoint that is not of the log here. */
  readonly size: number;
  /** Whether everybody can check it, or only who holds the log. */
  readonly isProven: boolean;
}

/** What `status` shows about witnesses. */
export interface WitnessingView {
  readonly logs: readonly WatchedLog[];
  readonly splitViews: readonly SplitViewSeen[];
}

/** Every log that has a record here or a checkpoint, in the roster's order. */
export function witnessingView(
  circle: WitnessCircle,
  book: NoteBook,
  suspicions: Suspicions,
  log: Pick<LogStore, 'head'>,
): WitnessingView {
  const logs = circle.authors().map((site): WatchedLog => {
    const newest = book.newest(site);
    return {
      site,
      name: circle.nameOf(site),
      size: log.head(site).size,
      signedSize: newest?.checkpoint.size ?? 0,
      witnessedSize: book.witnessed(site)?.checkpoint.size ?? 0,
      quorum: circle.quorumOf(site),
      witnesses: circle.witnessesOf(site).map((witness) => ({
        ...witness,
        hasCosigned: newest?.cosignatures.has(witness.site) ?? false,
      })),
    };
  });
  return {
    logs: logs.filter(({ size, signedSize }) => size > 0 || signedSize > 0),
    splitViews: suspicions.all().map(({ site, size, proof }) => ({
      site,
      name: circle.nameOf(site),
      size,
      isProven: proof !== null,
    })),
  };
}

/** For people, one line each: what is not well is in capitals. */
export function* witnessingLines({ logs, splitViews }: WitnessingView): Iterable<string> {
  for (const { name, size, witnessedSize, quorum, witnesses } of logs) {
    const behind = size - witnessedSize;
    const cosigned = witnesses.filter(({ hasCosigned }) => hasCosigned);
    const by = cosigned.map((witness) => witness.name).join(', ') || 'nobody';
    const lag = behind > 0 ? `, ${behind} NOT WITNESSED` : '';
    yield `log       ${name}: ${size} records, ${witnessedSize} witnessed${lag}; cosigned by ${by} (${cosigned.length} of ${quorum})`;
  }
  yield* splitViewLines({ splitViews });
}

export function* splitViewLines({
  splitViews,
}: Pick<WitnessingView, 'splitViews'>): Iterable<string> {
  for (const { site, name, size, isProven } of splitViews) {
    const known = isProven ? 'PROVEN to everybody' : 'seen by this node, not proven to others yet';
    yield `SPLIT VIEW of ${name} (${site}): it signed another log of ${size} records than the one here; ${known}`;
  }
}
