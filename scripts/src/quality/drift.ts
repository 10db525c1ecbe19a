/**
 * How far members pull apart in one round. `cosine`: mean over pairs of the cosine between their updates. `kept`: norm of the averaged update over
 * the mean of their norms; 1 when they agree, 1/√n when n of them are at right angles.
 */
export interface Drift {
  readonly cosine: number;
  readonly kept: number;
}

export function driftOf(updates: readonly Int32Array[], mean: Int32Array): Drift {
  const norms = updates.map((update) => Math.sqrt(dot(update, update)));
  const cosines: number[] = [];
  for (let i = 0; i < updates.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [updates[i] as Int32Array, updates[j] as Int32Array];
      cosines.push(dot(a, b) / ((norms[i] as number) * (norms[j] as number)));
    }
  }
  return { cosine: meanOf(cosines), kept: Math.sqrt(dot(mean, mean)) / meanOf(norms) };
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function dot(a: Int32Array, b: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    sum += (a[i] as number) * (b[i] as number);
  }
  return sum;
}
