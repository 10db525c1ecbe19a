import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PrivacyEvent } from './event.ts';
import { directedEpsilon, pldEpsilon } from './pld.ts';
import { connectDots } from './pld-dots.ts';
import { chooseGrid, type LossGrid } from './pld-grid.ts';
import { type Direction, lossLogMoment } from './pld-loss.ts';
import { deltaOfStep, deltaOfTwo } from './pld-oracle-fixture.ts';

const directions = ['remove', 'add'] as const;

const event = (sampleRate: number, noiseMultiplier: number, steps = 1): PrivacyEvent => ({
  sampleRate,
  noiseMultiplier,
  steps,
});

const parameters = fc.tuple(
  fc.double({ min: -4, max: 0, noNaN: true }).map((exponent) => 10 ** exponent),
  fc.double({ min: Math.log(0.5), max: Math.log(6), noNaN: true }).map(Math.exp),
);
const deltas = fc.double({ min: -10, max: -1, noNaN: true }).map((exponent) => 10 ** exponent);

test('one step is at the ε at which its definition gives δ: never below, hardly above', () => {
  fc.assert(
    fc.property(parameters, deltas, ([q, sigma], delta) => {
      const step = event(q, sigma);
      const got = pldEpsilon([step], delta);
      const deltaAt = (epsilon: number) =>
        Math.max(...directions.map((direction) => deltaOfStep(step, direction, epsilon)));
      expect(deltaAt(got)).toBeLessThanOrEqual(delta * (1 + 1e-7));
      if (got > 0) expect(deltaAt(got - 2e-4)).toBeGreaterThan(delta);
    }),
    { seed: 30, numRuns: 16, endOnFailure: true },
  );
});

test.each([
  [event(0.3, 0.8), event(0.05, 1.7), 1e-6],
  [event(0.9, 2.2), event(0.4, 0.9), 1e-9],
  [event(0.01, 0.6), event(1, 3.5), 1e-4],
])('two different steps too, in each direction: %o and %o at δ = %d', (first, second, delta) => {
  const found = directions.map((direction) => {
    const got = directedEpsilon([first, second], direction, delta);
    expect(deltaOfTwo([first, second], direction, got)).toBeLessThanOrEqual(delta * (1 + 1e-7));
    expect(deltaOfTwo([first, second], direction, got - 1e-4)).toBeGreaterThan(delta);
    return got;
  });
  expect(pldEpsilon([first, second], delta)).toBe(Math.max(...found));
});

// T steps without sampling are one with σ / √T: the analytic Gaussian mechanism, Balle and Wang 2018, theorem 8
test.each([
  [4.5, 300, 1e-10],
  [0.7, 2, 1e-5],
  [40, 2500, 0.1],
  [31, 17, 1e-6],
])('σ = %d without sampling, %d steps, δ = %d', (sigma, steps, delta) => {
  const got = pldEpsilon([event(1, sigma, steps)], delta);
  const once = event(1, sigma / Math.sqrt(steps));
  expect(deltaOfStep(once, 'remove', got)).toBeLessThanOrEqual(delta * (1 + 1e-7));
  expect(deltaOfStep(once, 'remove', got - 1e-4)).toBeGreaterThan(delta);
});

test('in both directions, connected dots are exact on the grid and above between', () => {
  const [q, sigma] = [0.2, 1.3];
  for (const direction of directions) {
    const grid: LossGrid = {
      tilt: 1.5,
      interval: 0.01,
      first: -1500,
      size: 4096,
      tailMass: 1e-15,
      lostMass: 0,
    };
    const { mass, logScale } = connectDots(event(q, sigma), direction, grid);
    expect(mass.reduce((sum, m) => sum + m, 0)).toBeCloseTo(1, 12);
    const deltaOf = (epsilon: number) => {
      let sum = 0;
      for (let i = grid.first; i < grid.first + grid.size; i++) {
        const loss = i * grid.interval;
        const part = -Math.expm1(Math.min(0, epsilon - loss));
        const m = mass[(i + 4 * grid.size) % grid.size] as number;
        sum += part * m * Math.exp(logScale - grid.tilt * loss);
      }
      return sum;
    };
    for (const i of [-9, 0, 3, 17, 40, 120]) {
      const at = deltaOfStep(event(q, sigma), direction, i * grid.interval);
      const between = deltaOfStep(event(q, sigma), direction, (i + 0.4) * grid.interval);
      if (at > 1e-10) expect(deltaOf(i * grid.interval) / at).toBeCloseTo(1, 7);
      expect(deltaOf((i + 0.4) * grid.interval)).toBeGreaterThanOrEqual(between * (1 - 1e-9));
      if (between > 1e-10) {
        expect(deltaOf((i + 0.4) * grid.interval)).toBeLessThan(between * 1.1);
      }
    }
  }
});

test('moments of the loss are those of its definition', () => {
  const step = event(0.2, 1.3, 3);
  const moment = (direction: Direction, tilt: number) => {
    let sum = 0;
    for (let t = -16; t < 50; t += 1 / 64) {
      const ratio = 0.8 + 0.2 * Math.exp(t / 1.3 - 0.5 / 1.69);
      const power = direction === 'remove' ? 1 + tilt : -tilt;
      sum += Math.exp((-t * t) / 2 + power * Math.log(ratio)) / Math.sqrt(2 * Math.PI) / 64;
    }
    return 3 * Math.log(sum);
  };
  for (const direction of directions) {
    for (const tilt of [-40, -3.5, -0.5, 0.75, 6]) {
      const wanted = moment(direction, tilt);
      expect(lossLogMoment([step], direction, tilt) - wanted, `${direction} ${tilt}`).toBeCloseTo(
        0,
        9,
      );
    }
  }
});

test('takes the interval it is asked for, and a longer one where the window would be too long', () => {
  const history = [event(0.02, 0.9, 400)];
  const gridAt = (interval: number) => chooseGrid(history, 'remove', 1e-6, 2.5, interval);
  expect(gridAt(1e-3)?.interval).toBe(1e-3);
  expect(gridAt(1e-9)?.interval).toBeGreaterThan(1e-6);
  expect(gridAt(1e-9)?.size).toBe(2 ** 20);
  expect(chooseGrid([event(0.5, 2, 2 ** 45)], 'remove', 1e-6, 1e-6, 1e-3)).toBeNull();
});
