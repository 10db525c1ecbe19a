import { weightsDigest } from '@consilium/weights';
import type { AcceptedUpdate } from '../decide.ts';
import { type BlobReader, RoundSum } from '../sum.ts';
import { type Claim, claimsOf, type StandingPoint, StandingPoints } from './claims.ts';
import { counted } from './counted.ts';
import type { Evidence } from './evidence.ts';
import { waysToLack } from './late-payloads.ts';
import type { Answer } from './verdict.ts';
import type { RoundPart } from './weights-walk.ts';

/** Claims about one state that the walk comes by: after all rounds before some round, and these updates of it. */
interface Stand {
  readonly updates: ReadonlySet<AcceptedUpdate>;
  readonly claims: Claim[];
}

/** Claims about one state by itself. */
interface Aside {
  readonly point: StandingPoint;
  readonly claims: Claim[];
}

/** Sums that a walk keeps at a time beside that of a whole round; states beyond are computed one by one. */
const mostParts = 8;
/** States that are tried for one claim, and values that are added up for all of them. */
const mostTries = 5_000;
const mostTriedValues = 2 ** 31;
/** Names all of a round among its parts. */
const whole = 'all';

/**
 * Compares every state that a record names with the one that the records which its author held make.
 *
 * Most of them the walk through the rounds comes by; those where somebody lacked an update of a round that others had gone beyond are computed one by one afterwards.
 */
export class Lineage {
  readonly #evidence: Evidence;
  readonly #points: StandingPoints;
  /** By round and name of the part. */
  readonly #stands = new Map<number, Map<string, Stand>>();
  /** What the walk does not come by, by the name of the point. */
  readonly #asides = new Map<string, Aside>();
  /** Claims that the state at their heads is not. */
  readonly #unexplained = new Set<Claim>();
  readonly #claims: readonly Claim[];
  #unknown = 0;
  #late = 0;

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    this.#points = new StandingPoints(evidence);
    this.#claims = claimsOf(evidence);
    for (const claim of this.#claims) this.#place(claim);
  }

  /** The parts of a round that somebody stood on. */
  partsOf(round: number): RoundPart[] {
    return [...(this.#stands.get(round) ?? [])]
      .filter(([key]) => key !== whole)
      .map(([key, { updates }]) => ({ key, updates }));
  }

  /** Hears the digest of a state that the walk came by. */
  hear(round: number, part: string | null, digest: string): void {
    const stand = this.#stands.get(round)?.get(part ?? whole);
    if (stand === undefined) return;
    this.#compare(stand.claims, digest);
  }

  #compare(claims: readonly Claim[], digest: string): void {
    for (const claim of claims) if (claim.digest !== digest) this.#unexplained.add(claim);
  }

  /** Computes what the walk did not come by, and answers. */
  async conclude(answer: Answer, payloads: BlobReader): Promise<void> {
    const sum = new RoundSum(this.#evidence.founding);
    for (const { point, claims } of [...this.#asides.values()].sort(byFirstClaim)) {
      const updates = this.#points.updatesOf(point);
      this.#compare(claims, await this.#digestOf(sum, updates, payloads));
    }
    await this.#explain(answer, sum, payloads);
    const checked = this.#claims.length - this.#unknown;
    if (this.#late > 0) {
      answer.remark(
        `Made while payloads that the records name had not arrived yet, which the rules allow: ${counted(this.#late, 'state')} of them.`,
      );
    }
    if (this.#unknown > 0) {
      answer.remark(
        `Not computed, because the bundle does not show the logs that they were made from: ${counted(this.#unknown, 'state')}.`,
      );
    }
    answer.state(
      `Computed again from the logs that their authors held: ${counted(checked, 'state')} that records name, as the base of an update or as what was evaluated.`,
    );
  }

  #place(claim: Claim): void {
    const point = this.#points.at(claim.heads);
    if (point === null) {
      this.#unknown++;
      return;
    }
    const { round, key, updates } = this.#standOf(point);
    const ofRound = this.#stands.get(round ?? -1) ?? new Map<string, Stand>();
    const known = ofRound.get(key);
    if (round === null || (known === undefined && ofRound.size > mostParts)) {
      const name = this.#points.nameOf(point);
      const aside = this.#asides.get(name);
      if (aside === undefined) this.#asides.set(name, { point, claims: [claim] });
      else aside.claims.push(claim);
      return;
    }
    this.#stands.set(round, ofRound);
    if (known === undefined) ofRound.set(key, { updates, claims: [claim] });
    else known.claims.push(claim);
  }

  /** Which round the walk has to stop in, and after which of its updates; null for a round where it never comes by. */
  #standOf(point: StandingPoint): {
    round: number | null;
    key: string;
    updates: Set<AcceptedUpdate>;
  } {
    const aside = { round: null, key: '', updates: new Set<AcceptedUpdate>() };
    if ('updates' in point) return aside;
    const { byAuthor } = this.#points;
    const last = (i: number): AcceptedUpdate | undefined =>
      byAuthor[i]?.[(point.counts[i] as number) - 1];
    const next = (i: number): number =>
      byAuthor[i]?.[point.counts[i] as number]?.round ?? Number.POSITIVE_INFINITY;
    const authors = byAuthor.map((_, i) => i);
    const round = Math.max(0, ...authors.map((i) => last(i)?.round ?? 0));
    if (authors.some((i) => next(i) < round)) return aside;
    const inRound = authors.filter((i) => last(i)?.round === round);
    const isWhole = authors.every((i) => next(i) > round);
    return {
      round,
      key: isWhole ? whole : inRound.join(' '),
      updates: new Set(inRound.flatMap((i) => last(i) ?? [])),
    };
  }

  /** A state may lack what had not come yet; one that nothing of the kind explains is a finding. */
  async #explain(answer: Answer, sum: RoundSum, payloads: BlobReader): Promise<void> {
    const { layout, manifest } = this.#evidence.founding;
    const perTry = layout.length * manifest.roster.length;
    const tries = { left: Math.max(200, Math.floor(mostTriedValues / perTry)) };
    const byAuthor = Map.groupBy(this.#claims, ({ author }) => author);
    for (const claims of byAuthor.values()) {
      /** Updates (by name) whose payload the author is known to have had. */
      const had = new Set<string>();
      let before: Claim | null = null;
      for (const claim of claims.toSorted((a, b) => a.index - b.index)) {
        if (!this.#unexplained.has(claim)) {
          before = claim;
          continue;
        }
        for (const update of before === null ? [] : this.#updatesAt(before)) had.add(name(update));
        before = null;
        const updates = this.#updatesAt(claim);
        const late = await this.#lateIn(claim, updates, had, tries, (rest) =>
          this.#digestOf(sum, rest, payloads),
        );
        if (late === null) {
          answer.find(findingOf(claim));
          continue;
        }
        this.#late++;
        for (const update of updates) if (!late.has(update)) had.add(name(update));
      }
    }
  }

  /** Which payloads the author of a claim must have lacked; null when none that it can have lacked explain the claim. */
  async #lateIn(
    { author, digest }: Claim,
    updates: readonly AcceptedUpdate[],
    had: ReadonlySet<string>,
    tries: { left: number },
    digestOf: (updates: readonly AcceptedUpdate[]) => Promise<string>,
  ): Promise<ReadonlySet<AcceptedUpdate> | null> {
    const open = updates.filter((update) => update.author !== author && !had.has(name(update)));
    let tried = 0;
    for (const late of waysToLack(open)) {
      if (tried++ === mostTries || tries.left-- <= 0) return null;
      const rest = updates.filter((update) => !late.has(update));
      if ((await digestOf(rest)) === digest) return late;
    }
    return null;
  }

  #updatesAt({ heads }: Claim): readonly AcceptedUpdate[] {
    const point = this.#points.at(heads);
    return point === null ? [] : this.#points.updatesOf(point);
  }

  async #digestOf(
    sum: RoundSum,
    updates: readonly AcceptedUpdate[],
    payloads: BlobReader,
  ): Promise<string> {
    const { layout, manifest } = this.#evidence.founding;
    const { weights } = await sum.update(updates, payloads);
    return weightsDigest(layout, manifest.gridExponent, weights);
  }
}

function findingOf({ kind, author, index, round, digest }: Claim): Parameters<Answer['find']>[0] {
  const short = `${digest.slice(0, 16)}…`;
  return kind === 'update'
    ? {
        code: 'WRONG_BASE',
        site: author,
        index,
        message: `the update of round ${round} says that it began from state ${short}; the records that its author held make another`,
      }
    : {
        code: 'WRONG_STATE',
        site: author,
        index,
        message: `the evaluation is of state ${short}; the records that its author held make another`,
      };
}

function byFirstClaim({ claims: [a] }: Aside, { claims: [b] }: Aside): number {
  if (a === undefined || b === undefined) return 0;
  return a.author === b.author ? a.index - b.index : a.author < b.author ? -1 : 1;
}

function name({ author, index }: AcceptedUpdate): string {
  return `${author} ${index}`;
}
