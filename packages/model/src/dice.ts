/**
 * Dice overlap 2|A∩B| / (|A|+|B|) of two 0/1 masks, restricted to the places where `within` is not zero
 * (everywhere when it is left out). Null where the truth is empty: a patient without lesions is judged by false
 * candidates and by burden instead. An empty prediction scores 0.
 *
 * @throws {RangeError} when the lengths differ.
 */
export function dice(
  predicted: Uint8Array,
  truth: Uint8Array,
  within: Uint8Array | null = null,
): number | null {
  if (predicted.length !== truth.length || (within !== null && within.length !== truth.length)) {
    throw new RangeError(`masks of ${predicted.length} and ${truth.length} voxels do not compare`);
  }
  let both = 0;
  let sum = 0;
  let wanted = 0;
  for (let i = 0; i < truth.length; i++) {
    if (within !== null && within[i] === 0) {
      continue;
    }
    const p = predicted[i] === 0 ? 0 : 1;
    const t = truth[i] === 0 ? 0 : 1;
    both += p & t;
    sum += p + t;
    wanted += t;
  }
  return wanted === 0 ? null : (2 * both) / sum;
}

/** The 0/1 mask of the places where a probability reaches `threshold`. */
export function atLeast(probability: Float32Array, threshold: number): Uint8Array {
  const mask = new Uint8Array(probability.length);
  for (let i = 0; i < mask.length; i++) {
    mask[i] = (probability[i] as number) >= threshold ? 1 : 0;
  }
  return mask;
}
