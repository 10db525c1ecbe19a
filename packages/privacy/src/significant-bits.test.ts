// Mironov 2012, On Significance of the Least Significant Bits for Differential Privacy: floating-point noise reaches other numbers from one
// value than from its neighbour, so that a single release can tell which of the two it was.
import { expect, test } from 'vitest';
import { createDiscreteGaussian } from './discrete-gaussian.ts';
import { createMechanism, oneByOne } from './mechanism.ts';
import { seeded } from './random-fixture.ts';
import { createUniform } from './uniform.ts';

const sigma = 3;

/** Box and Muller 1958 in floating point, as libraries do it: two normal numbers of the uniforms k / 2^32. */
function boxMuller(k1: number, k2: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(k1 / 2 ** 32));
  const angle = (2 * Math.PI * k2) / 2 ** 32;
  return [sigma * radius * Math.cos(angle), sigma * radius * Math.sin(angle)];
}

/** Whether some pair of uniforms takes `value` to exactly this release: the only candidate is found by going backwards. */
function reaches(value: number, [a, b]: readonly [number, number]): boolean {
  const [z1, z2] = [(a - value) / sigma, (b - value) / sigma];
  const k1 = Math.round(Math.exp(-(z1 * z1 + z2 * z2) / 2) * 2 ** 32);
  const k2 = Math.round((Math.atan2(z2, z1) / (2 * Math.PI) + 1) * 2 ** 32) % 2 ** 32;
  const [n1, n2] = boxMuller(k1, k2);
  return value + n1 === a && value + n2 === b;
}

test('tells from every release of naive floating-point noise which of two neighbours it hid', () => {
  const uniform = createUniform(seeded('naive'));
  for (const [truth, neighbour] of [
    [0, 1.1],
    [1.1, 0],
  ] as const) {
    for (let i = 0; i < 2000; i++) {
      const [n1, n2] = boxMuller(uniform.word() + 1, uniform.word());
      const release = [truth + n1, truth + n2] as const;
      expect(reaches(truth, release)).toBe(true);
      expect(reaches(neighbour, release)).toBe(false);
    }
  }
});

test('finds no release of the mechanism that only one of two neighbours reaches', async () => {
  const spec = {
    sampleRate: 1,
    noiseMultiplier: sigma,
    clipNorm: 1.1,
    gridExponent: -18,
    expectedBatch: 3,
  };
  const step = 2 ** -18 / 3;
  const gradient = Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i));
  for (const truth of [gradient, gradient.map((value) => -value)]) {
    const mechanism = createMechanism({ random: seeded('ours') }, spec);
    const released = await mechanism.step({
      patients: 1,
      dimension: 2000,
      gradientsOf: oneByOne(async () => truth),
    });
    // Each release is the float32 of a whole number of steps: from any other whole number, noise of a whole number leads there too.
    const hits = released.filter((value) => Math.fround(Math.round(value / step) * step) !== value);
    expect([...hits]).toEqual([]);
  }
});

test('reaches the same integers from 0 and from a neighbour, and each as often as the noise says', () => {
  const noise = createDiscreteGaussian(seeded('reach'), sigma);
  const fromZero = new Set<number>();
  const fromNeighbour = new Set<number>();
  for (let i = 0; i < 50_000; i++) {
    fromZero.add(noise.next());
    fromNeighbour.add(5 + noise.next());
  }
  for (let x = -5; x <= 10; x++) {
    expect(fromZero.has(x)).toBe(true);
    expect(fromNeighbour.has(x)).toBe(true);
  }
});
