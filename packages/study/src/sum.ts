import { type AggregationRule, type Contribution, weightedMean } from '@consilium/averaging';
import type { ManifestBody } from '@consilium/records';
import { decodePayload, toGrid, WeightsError } from '@consilium/weights';
import type { AcceptedUpdate } from './decide.ts';
import { StudyError } from './error.ts';
import type { Finding } from './finding.ts';
import type { Founding } from './manifest.ts';
import { isFault, openPayload } from './open-payload.ts';

/** Where payloads are read from: `undefined` for one that is not here yet. Bytes returned must hash to `digest` (hex). */
export interface BlobReader {
  get(digest: string): Promise<Uint8Array | undefined>;
}

/** The model after some set of updates, and what is known about their payloads. */
export interface Sum {
  /** Shared weights on the study's grid. */
  readonly weights: Int32Array;
  /** Updates whose payload was read and counts. */
  readonly counted: ReadonlySet<AcceptedUpdate>;
  /** Updates whose payload is not here yet. */
  readonly missing: readonly AcceptedUpdate[];
  readonly findings: readonly Finding[];
}

const rules: Readonly<Record<ManifestBody['aggregation']['rule'], AggregationRule>> = {
  'weighted-mean': weightedMean,
};

/**
 * Keeps x = x₀ + Σ_r Agg(updates of round r) as updates arrive.
 *
 * The sum is of integers below 2^53 and so exact: taking a round's old mean out and putting the new one in gives the same weights as
 * starting again. Only rounds whose updates changed since the last call are read.
 */
export class RoundSum {
  readonly #founding: Founding;
  readonly #rule: AggregationRule;
  #total: Float64Array | null = null;
  /** For each round, the updates that are in the total. */
  #included = new Map<number, readonly AcceptedUpdate[]>();
  /** Payloads that never count, by digest and named size, and why: bytes under one digest do not change. */
  #refused = new Map<string, Pick<Finding, 'code' | 'message'>>();

  constructor(founding: Founding) {
    this.#founding = founding;
    this.#rule = rules[founding.manifest.aggregation.rule];
  }

  /** @throws {StudyError} `NO_INITIAL_WEIGHTS` when x₀ is not among the blobs, or is not what the manifest says. */
  async update(updates: readonly AcceptedUpdate[], blobs: BlobReader): Promise<Sum> {
    const total = this.#total ?? (await this.#initial(blobs));
    const counted = new Set<AcceptedUpdate>();
    const missing: AcceptedUpdate[] = [];
    const findings: Finding[] = [];
    for (const [round, wanted] of byRound(updates, this.#included.keys())) {
      const before = this.#included.get(round) ?? [];
      if (sameUpdates(before, wanted)) {
        for (const update of wanted) counted.add(update);
        continue;
      }
      const read = await this.#read(wanted, blobs);
      missing.push(...read.missing);
      for (const update of read.present.keys()) counted.add(update);
      const present = [...read.present.keys()];
      if (!sameUpdates(before, present)) {
        const old = await this.#read(before, blobs);
        if (old.missing.length > 0) return this.#again(updates, blobs);
        addTo(total, this.#mean(old.present), -1);
        addTo(total, this.#mean(read.present), 1);
        this.#included.set(round, present);
      }
    }
    this.#total = total;
    for (const update of updates) {
      const { author, index } = update;
      const reason = this.#refused.get(nameOf(update));
      if (reason !== undefined) findings.push({ ...reason, site: author, index });
    }
    const { weights, saturated } = held(total);
    if (saturated > 0) {
      findings.push({
        code: 'WEIGHTS_SATURATED',
        site: null,
        index: null,
        message: `${saturated} weights held at 32 bits of the grid`,
      });
    }
    return { weights, counted, missing, findings };
  }

  async #again(updates: readonly AcceptedUpdate[], blobs: BlobReader): Promise<Sum> {
    this.#total = null;
    this.#included = new Map();
    return this.update(updates, blobs);
  }

  async #initial(blobs: BlobReader): Promise<Float64Array> {
    const { manifest, layout } = this.#founding;
    const digest = Buffer.from(manifest.initialWeights.digest).toString('hex');
    const bytes = await blobs.get(digest);
    if (bytes === undefined)
      throw new StudyError('NO_INITIAL_WEIGHTS', `the initial weights ${digest} are not here yet`);
    try {
      return Float64Array.from(toGrid(decodePayload(layout, bytes), manifest.gridExponent));
    } catch (error) {
      if (!(error instanceof WeightsError)) throw error;
      throw new StudyError(
        'NO_INITIAL_WEIGHTS',
        `the initial weights are refused: ${error.message}`,
        { cause: error },
      );
    }
  }

  async #read(
    updates: readonly AcceptedUpdate[],
    blobs: BlobReader,
  ): Promise<{ present: Map<AcceptedUpdate, Contribution>; missing: AcceptedUpdate[] }> {
    const present = new Map<AcceptedUpdate, Contribution>();
    const missing: AcceptedUpdate[] = [];
    for (const update of updates) {
      if (this.#refused.has(nameOf(update))) continue;
      const bytes = await blobs.get(update.payload);
      if (bytes === undefined) {
        missing.push(update);
        continue;
      }
      const opened = openPayload(this.#founding, update, bytes);
      if (isFault(opened)) {
        this.#refused.set(nameOf(update), { code: opened.code, message: opened.message });
      } else {
        present.set(update, { weight: update.weight, update: opened.grid });
      }
    }
    return { present, missing };
  }

  #mean(present: ReadonlyMap<AcceptedUpdate, Contribution>): Int32Array | null {
    return present.size === 0 ? null : this.#rule([...present.values()]);
  }
}

/** Every round that has updates now or had some before, ascending, each with its updates now. */
function byRound(
  updates: readonly AcceptedUpdate[],
  earlier: Iterable<number>,
): Map<number, AcceptedUpdate[]> {
  const rounds = new Map<number, AcceptedUpdate[]>([...earlier].map((round) => [round, []]));
  for (const update of updates) {
    const round = rounds.get(update.round);
    if (round === undefined) rounds.set(update.round, [update]);
    else round.push(update);
  }
  return new Map([...rounds].sort(([a], [b]) => a - b));
}

function sameUpdates(a: readonly AcceptedUpdate[], b: readonly AcceptedUpdate[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      ({ site, payload, weight }, i) =>
        site === b[i]?.site && payload === b[i]?.payload && weight === b[i]?.weight,
    )
  );
}

/** A payload as a record names it: the same bytes under a wrong size are another claim. */
function nameOf({ payload, payloadBytes }: AcceptedUpdate): string {
  return `${payload} ${payloadBytes}`;
}

function addTo(total: Float64Array, mean: Int32Array | null, sign: 1 | -1): void {
  if (mean === null) return;
  for (let i = 0; i < total.length; i++)
    total[i] = (total[i] as number) + sign * (mean[i] as number);
}

function held(total: Float64Array): { weights: Int32Array; saturated: number } {
  const largest = 0x7fffffff;
  let saturated = 0;
  const weights = Int32Array.from(total, (value) => {
    if (Math.abs(value) <= largest) return value;
    saturated++;
    return Math.sign(value) * largest;
  });
  return { weights, saturated };
}
