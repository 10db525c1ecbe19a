import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adam, type Optimizer, type OptimizerState, sgd } from './optimizer.ts';
import { decodeOptimizerState, encodeOptimizerState } from './optimizer-state.ts';

const rules: readonly { name: string; rule: Optimizer }[] = [
  { name: 'adam', rule: adam({ learningRate: 0.05, weightDecay: 0.1 }) },
  { name: 'sgd with momentum', rule: sgd({ learningRate: 0.05, momentum: 0.9 }) },
];

// Gradient of Σ (i + 1)·(w − i)² / 2, which is least at w = 0, 1, 2, …
function bowl(weights: Float32Array): Float32Array {
  return weights.map((value, i) => (i + 1) * (value - i));
}

function take(rule: Optimizer, weights: Float32Array, state: OptimizerState, steps: number): void {
  for (let step = 0; step < steps; step++) rule.step(weights, bowl(weights), state);
}

test('adam takes the steps of the paper', () => {
  const rule = adam({ learningRate: 0.1, beta1: 0.8, beta2: 0.9, epsilon: 0.5 });
  const weights = Float32Array.of(1, -2);
  const state = rule.start(2);
  rule.step(weights, Float32Array.of(3, -1), state);
  // Corrected moments of the first step are the gradient and its square: 0.1 · 3 / (3 + 0.5) and 0.1 · 1 / (1 + 0.5).
  expect(weights[0]).toBeCloseTo(1 - 0.3 / 3.5, 6);
  expect(weights[1]).toBeCloseTo(-2 + 0.1 / 1.5, 6);
  rule.step(weights, Float32Array.of(-1, -1), state);
  // m = 0.8·0.6 − 0.2 = 0.28 over 1 − 0.64; v = 0.9·0.9 + 0.1 = 0.91 over 1 − 0.81.
  const move = 0.1 * (0.28 / 0.36 / (Math.sqrt(0.91 / 0.19) + 0.5));
  expect(weights[0]).toBeCloseTo(1 - 0.3 / 3.5 - move, 6);
  expect(state.steps).toBe(2);
});

test('weight decay shrinks weights by the rate, apart from the gradient', () => {
  const weights = Float32Array.of(2);
  const rule = adam({ learningRate: 0.1, weightDecay: 0.5 });
  rule.step(weights, Float32Array.of(0), rule.start(1));
  expect(weights[0]).toBeCloseTo(2 * (1 - 0.1 * 0.5), 6);
});

test('sgd keeps its momentum', () => {
  const rule = sgd({ learningRate: 0.5, momentum: 0.25 });
  const weights = Float32Array.of(1);
  const state = rule.start(1);
  rule.step(weights, Float32Array.of(2), state); // v = 2
  rule.step(weights, Float32Array.of(1), state); // v = 1.5
  expect(weights[0]).toBe(1 - 0.5 * 2 - 0.5 * 1.5);
});

test.each(rules)('$name finds the bottom of a bowl, up to its decay', ({ rule }) => {
  const weights = Float32Array.of(3, -3, 5);
  take(rule, weights, rule.start(3), 500);
  for (const [i, value] of weights.entries()) expect(Math.abs(value - i)).toBeLessThan(0.15);
});

test.each(rules)('$name goes on from a saved state exactly as without the break', ({ rule }) => {
  const whole = { weights: Float32Array.of(3, -3, 5), state: rule.start(3) };
  take(rule, whole.weights, whole.state, 9);
  const parts = { weights: Float32Array.of(3, -3, 5), state: rule.start(3) };
  take(rule, parts.weights, parts.state, 4);
  const restored = decodeOptimizerState(encodeOptimizerState(parts.state));
  take(rule, parts.weights, restored, 5);
  expect(parts.weights).toEqual(whole.weights);
  expect(restored).toEqual(whole.state);
});

test.each(rules)('$name takes a learning rate for one step', ({ rule }) => {
  const [small, large] = [Float32Array.of(0), Float32Array.of(0)];
  rule.step(small, Float32Array.of(1), rule.start(1), { learningRate: 0.01 });
  rule.step(large, Float32Array.of(1), rule.start(1), { learningRate: 0.02 });
  expect((large[0] ?? 0) / (small[0] ?? 0)).toBeCloseTo(2, 5);
});

test.each(rules)('$name refuses moments of another length or rule', ({ rule }) => {
  const weights = new Float32Array(3);
  const badState = { code: 'BAD_STATE' };
  const attempt = (gradient: number, state: OptimizerState) => () =>
    rule.step(weights, new Float32Array(gradient), state);
  expect(attempt(2, rule.start(3))).toThrow(expect.objectContaining(badState));
  expect(attempt(3, rule.start(2))).toThrow(expect.objectContaining(badState));
  const other = rules.find((candidate) => candidate.rule !== rule)?.rule.start(3);
  if (other === undefined) throw new Error('there is no other rule');
  expect(attempt(3, other)).toThrow(expect.objectContaining(badState));
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
  'refuses a learning rate of %s',
  (learningRate) => {
    expect(() => adam({ learningRate })).toThrow(RangeError);
    expect(() => sgd({ learningRate })).toThrow(RangeError);
  },
);

test.each([-0.1, 1, Number.NaN])('refuses a decay of %s', (decay) => {
  expect(() => adam({ beta1: decay })).toThrow(RangeError);
  expect(() => adam({ beta2: decay })).toThrow(RangeError);
  expect(() => sgd({ momentum: decay })).toThrow(RangeError);
});

test('refuses bytes that are no saved state, whatever they are', () => {
  const state = adam().start(5);
  const good = encodeOptimizerState(state);
  fc.assert(
    fc.property(fc.nat(good.length - 1), (length) => {
      expect(() => decodeOptimizerState(good.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'BAD_STATE' }),
      );
    }),
    { seed: 1 },
  );
  fc.assert(
    fc.property(fc.nat(23), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bad = good.slice();
      bad[at] = (bad[at] ?? 0) ^ flip;
      let decoded: OptimizerState;
      try {
        decoded = decodeOptimizerState(bad);
      } catch (error) {
        expect(error).toMatchObject({ code: 'BAD_STATE' });
        return;
      }
      // Only the number of steps can change into another valid one.
      expect({ ...decoded, steps: 0 }).toEqual(state);
    }),
    { seed: 1 },
  );
});
