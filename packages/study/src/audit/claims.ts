import { createHash } from 'node:crypto';
import type { SiteId, VerifiedRecord } from '@consilium/records';
import { SiteChain } from '../chain.ts';
import { type AcceptedUpdate, decide } from '../decide.ts';
import { accusationIn } from '../equivocation.ts';
import { rosterHistory } from '../roster-history.ts';
import { type Evidence, recordAt } from './evidence.ts';

/** A record’s word that it was made on a state: an update’s base, or what an evaluation is of. */
export interface Claim {
  readonly kind: 'evaluation' | 'update';
  readonly author: SiteId;
  readonly index: number;
  readonly round: number;
  /** Of the state, hexadecimal. */
  readonly digest: string;
  readonly heads: VerifiedRecord['record']['heads'];
}

/** Every update and evaluation that counts names a state. */
export function claimsOf(evidence: Evidence): Claim[] {
  const { updates, evaluations } = evidence.decisions;
  return [
    ...updates.map((each) => ({ ...each, kind: 'update' as const, digest: each.base })),
    ...evaluations.map((each) => ({ ...each, kind: 'evaluation' as const, digest: each.state })),
  ].map(({ kind, author, index, round, digest }) => {
    const heads = recordAt(evidence, { author, index })?.heads ?? [];
    return { kind, author, index, round, digest, heads };
  });
}

/**
 * Where somebody stood: how many of each author’s updates were in the model, as far as these are the first ones of all that count; or else just which.
 * Authors are those of {@link StandingPoints}.
 */
export type StandingPoint =
  | { readonly counts: readonly number[] }
  | { readonly updates: readonly AcceptedUpdate[] };

/** Tells which updates were in the model where a record was made. */
export class StandingPoints {
  /** Every author’s updates that count by all records of the bundle, in their order. */
  readonly byAuthor: readonly (readonly AcceptedUpdate[])[];
  readonly #evidence: Evidence;
  readonly #authors: readonly SiteId[];
  /** Whether what counts follows from how long each log was, and nothing else. */
  readonly #isPlain: boolean;
  /** The point of each set of heads that was folded, since many records name the same. */
  readonly #folded = new Map<string, StandingPoint>();

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    const groups = Map.groupBy(evidence.decisions.updates, ({ author }) => author);
    this.#authors = [...groups.keys()];
    this.byAuthor = [...groups.values()];
    this.#isPlain = isPlain(evidence);
  }

  /** Null when the bundle does not have the logs that `heads` names, or has others. */
  at(heads: Claim['heads']): StandingPoint | null {
    const { logs } = this.#evidence;
    const isHere = heads.every(
      ({ author, size, root }) =>
        logs.get(author)?.roots[size - 1] === Buffer.from(root).toString('hex'),
    );
    if (!isHere) return null;
    const sizes = new Map(heads.map(({ author, size }) => [author, size]));
    if (this.#isPlain) return { counts: this.#countsAt(sizes) };
    const name = [...sizes].join();
    const point = this.#folded.get(name) ?? this.#foldedAt(sizes);
    this.#folded.set(name, point);
    return point;
  }

  #countsAt(sizes: ReadonlyMap<SiteId, number>): number[] {
    return this.byAuthor.map((updates, i) => {
      const size = sizes.get(this.#authors[i] as SiteId) ?? 0;
      return countBelow(updates, size);
    });
  }

  /** What the fold makes of these logs and nothing else. */
  #foldedAt(sizes: ReadonlyMap<SiteId, number>): StandingPoint {
    const { logs, founding, study } = this.#evidence;
    const chains = new Map<SiteId, SiteChain>();
    const chainOf = (site: SiteId): SiteChain => {
      const chain = chains.get(site) ?? new SiteChain(site);
      chains.set(site, chain);
      return chain;
    };
    for (const [author, size] of sizes) {
      for (const record of logs.get(author)?.records.slice(0, size) ?? []) {
        chainOf(author).add(record);
        const accusation = accusationIn(record, study);
        if (accusation !== null) chainOf(accusation.site).partAt(accusation.index);
      }
    }
    const { updates } = decide(founding, study, rosterHistory(founding, study, chains));
    const counts = this.#countsAt(sizes);
    return isSame(updates, this.updatesOf({ counts })) ? { counts } : { updates };
  }

  /** Equal for points with equal updates. */
  nameOf(point: StandingPoint): string {
    if ('counts' in point) return point.counts.join();
    return createHash('sha256').update(point.updates.map(nameOf).join()).digest('hex');
  }

  /** The updates themselves. */
  updatesOf(point: StandingPoint): readonly AcceptedUpdate[] {
    if ('updates' in point) return point.updates;
    return this.byAuthor.flatMap((updates, i) => updates.slice(0, point.counts[i]));
  }
}

/** No change of the roster, no rotation and no broken log: then an update counts wherever its record is known. */
function isPlain({ logs, history, decisions }: Evidence): boolean {
  const changing = new Set(['equivocation', 'roster-change', 'rotation']);
  const hasChange = [...logs.values()].some(({ records }) =>
    records.some(({ record }) => changing.has(record.kind)),
  );
  const isCut = history.speeches.some(({ voices }) =>
    voices.some(({ key, records }) => records.length !== (logs.get(key)?.records.length ?? 0)),
  );
  const isBroken = decisions.findings.some(({ code }) => code === 'FORK' || code === 'SPLIT_VIEW');
  return !hasChange && !isCut && !isBroken;
}

function countBelow(updates: readonly AcceptedUpdate[], size: number): number {
  let [from, to] = [0, updates.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((updates[middle] as AcceptedUpdate).index < size) from = middle + 1;
    else to = middle;
  }
  return from;
}

function isSame(a: readonly AcceptedUpdate[], b: readonly AcceptedUpdate[]): boolean {
  const names = new Set(b.map(nameOf));
  return a.length === b.length && a.every((update) => names.has(nameOf(update)));
}

function nameOf({ author, index, weight }: AcceptedUpdate): string {
  return `${author} ${index} ${weight}`;
}
