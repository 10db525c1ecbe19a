import type { Contestant } from './contestant.ts';

// Float32 sums in another order; and where ReLU or a pool takes the other side of a near tie, whole gradients move by up to 7e-3.
const valueTolerance = 1e-4;
const gradientTolerance = 3e-2;

/**
 * Checks that all contestants built the same network: as many parameters, the same result and a gradient of the same size on
 * the same weights and inputs.
 * @throws {Error} naming what differs: times of different things must not be compared.
 */
export function checkAgreement(
  contestants: readonly Pick<Contestant, 'kind' | 'greeting'>[],
): void {
  const [first, ...others] = contestants;
  for (const other of others) {
    const compare = (what: 'parameters' | 'value' | 'gradientNorm', tolerance: number): void => {
      const [a, b] = [first?.greeting[what], other.greeting[what]];
      if (a === b) return;
      if (
        typeof a !== 'number' ||
        typeof b !== 'number' ||
        !(Math.abs(a - b) <= tolerance * Math.abs(a))
      ) {
        throw new Error(`${what} of ${first?.kind} is ${a}, that of ${other.kind} ${b}`);
      }
    };
    compare('parameters', 0);
    compare('value', valueTolerance);
    compare('gradientNorm', gradientTolerance);
  }
}
