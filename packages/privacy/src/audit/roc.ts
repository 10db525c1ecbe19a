import type { RandomBytes } from '@consilium/weights';

/** An attack's area under its ROC curve, with the 95 % bootstrap interval; 0.5 is guessing. */
export interface RocArea {
  readonly area: number;
  readonly low: number;
  readonly high: number;
}

/**
 * How probable it is that a member scores higher than somebody else, equal scores counting half: the area under the ROC
 * curve of telling members from others by their scores.
 *
 * @throws {RangeError} when either group is empty.
 * @see Mann and Whitney 1947; Hanley and McNeil 1982
 */
export function areaUnderRoc(members: ArrayLike<number>, others: ArrayLike<number>): number {
  if (members.length === 0 || others.length === 0) {
    throw new RangeError(`${members.length} members and ${others.length} others: need both`);
  }
  const sorted = Float64Array.from(others).sort();
  let wins = 0;
  for (const score of Float64Array.from(members).sort()) {
    wins += (firstAtLeast(sorted, score) + firstAbove(sorted, score)) / 2;
  }
  return wins / (members.length * others.length);
}

/**
 * The area with its interval: members and others are each drawn with replacement 2,000 times; `low` and `high` are the
 * 2.5 % and 97.5 % quantiles of the areas. One score a patient, so that patients are what is drawn.
 */
export function rocArea(
  members: ArrayLike<number>,
  others: ArrayLike<number>,
  random: RandomBytes,
): RocArea {
  const areas = Float64Array.from({ length: 2000 }, () =>
    areaUnderRoc(drawAgain(members, random), drawAgain(others, random)),
  ).sort();
  const [low = Number.NaN] = areas.subarray(50);
  const [high = Number.NaN] = areas.subarray(1949);
  return { area: areaUnderRoc(members, others), low, high };
}

/** As many scores as there are, drawn with replacement: 32 random bits each, whose bias is below `scores.length` / 2³². */
function drawAgain(scores: ArrayLike<number>, random: RandomBytes): Float64Array {
  const bytes = random(4 * scores.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: scores.length }, (_, i) => {
    const drawn = Math.floor((view.getUint32(4 * i) / 2 ** 32) * scores.length);
    return scores[drawn] ?? Number.NaN;
  });
}

function firstAtLeast(sorted: Float64Array, score: number): number {
  return firstWhere(sorted, (value) => value >= score);
}

function firstAbove(sorted: Float64Array, score: number): number {
  return firstWhere(sorted, (value) => value > score);
}

/** The first index whose value passes, the length if none does; all after a passing one must pass. */
function firstWhere(sorted: Float64Array, passes: (value: number) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (passes(sorted[middle] ?? Number.NaN)) high = middle;
    else low = middle + 1;
  }
  return low;
}
