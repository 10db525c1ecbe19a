import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromGrid, quantize, toGrid, weightsDigest } from './grid.ts';
import { createLayout } from './layout.ts';

const layout = createLayout([
  { name: 'a', shape: [5] },
  { name: 'b', shape: [3] },
]);
const gridExponent = -20;

/** Seeded bytes: SHA-256 in counter mode. */
function seeded(seed: number): (count: number) => Uint8Array {
  let block = 0;
  return (count) => {
    const out = Buffer.alloc(count);
    for (let at = 0; at < count; at += 32) {
      createHash('sha256').update(`${seed}:${block++}`).digest().copy(out, at);
    }
    return out;
  };
}
const vectors = fc.float32Array({
  minLength: 8,
  maxLength: 8,
  noNaN: true,
  noDefaultInfinity: true,
  min: -1000,
  max: 1000,
});
const widths = fc.constantFrom<8 | 16 | 32>(8, 16, 32);

test('rounds each value to one of its two neighbours on the step, whatever the vector', () => {
  fc.assert(
    fc.property(vectors, widths, fc.integer(), (vector, bits, seed) => {
      const { update, residual } = quantize(layout, vector, {
        bits,
        gridExponent,
        random: seeded(seed),
      });
      for (const [t, slot] of layout.tensors.entries()) {
        const step = 2 ** (update.exponents[t] as number);
        for (let i = slot.offset; i < slot.offset + slot.length; i++) {
          expect(Math.abs(update.values[i] as number)).toBeLessThanOrEqual(2 ** (bits - 1) - 1);
          expect(
            Math.abs((update.values[i] as number) * step - (vector[i] as number)),
          ).toBeLessThan(step);
          expect(Math.abs(residual[i] as number)).toBeLessThanOrEqual(step);
        }
      }
    }),
  );
});

test('is unbiased: the mean of many roundings of 0.3 steps is 0.3 steps', () => {
  const vector = new Float32Array(8).fill(0.3 * 2 ** -20);
  const random = seeded(7);
  let sum = 0;
  const draws = 4000;
  for (let k = 0; k < draws; k++) {
    sum += quantize(layout, vector, { bits: 8, gridExponent, random }).update.values.reduce(
      (a, b) => a + b,
      0,
    );
  }
  // 32,000 Bernoulli(0.3): a standard error of 0.0026, so five of them.
  expect(Math.abs(sum / (draws * 8) - 0.3)).toBeLessThan(0.013);
});

test('loses nothing over a series: what was sent and the last residual sum to what was meant', () => {
  const random = seeded(3);
  let residual = new Float32Array(8);
  const sent = new Float64Array(8);
  const meant = new Float64Array(8);
  for (let round = 0; round < 50; round++) {
    const vector = Float32Array.from({ length: 8 }, (_, i) => Math.sin(round * 8 + i) * (i + 1));
    const out = quantize(layout, vector, { bits: 8, gridExponent, random, residual });
    residual = out.residual as Float32Array<ArrayBuffer>;
    fromGrid(toGrid(out.update, gridExponent), gridExponent).forEach((value, i) => {
      sent[i] = (sent[i] as number) + value;
      meant[i] = (meant[i] as number) + (vector[i] as number);
    });
  }
  for (let i = 0; i < 8; i++) {
    expect((sent[i] as number) + (residual[i] as number)).toBeCloseTo(meant[i] as number, 4);
  }
});

test('never picks a step finer than the grid, so that every update is on the grid', () => {
  const tiny = new Float32Array(8).fill(2 ** -40);
  const { update } = quantize(layout, tiny, { bits: 16, gridExponent, random: seeded(1) });
  expect([...update.exponents]).toEqual([gridExponent, gridExponent]);
  expect(() => toGrid(update, gridExponent + 1)).toThrow(
    expect.objectContaining({ code: 'OFF_GRID' }),
  );
});

test('gives each tensor its own step', () => {
  const vector = Float32Array.of(100, 0, 0, 0, 0, 0.01, 0, 0);
  const { update } = quantize(layout, vector, { bits: 8, gridExponent, random: seeded(1) });
  expect([...update.exponents]).toEqual([0, -13]);
});

test.each([Number.NaN, Infinity, -Infinity])('refuses a vector that holds %s', (bad) => {
  const vector = new Float32Array(8);
  vector[6] = bad;
  const init = { bits: 16, gridExponent, random: seeded(1) } as const;
  expect(() => quantize(layout, vector, init)).toThrow(
    expect.objectContaining({ code: 'NON_FINITE' }),
  );
});

test('refuses a value that leaves 32 bits of the grid rather than wrapping it', () => {
  const update = {
    layout,
    bits: 32,
    exponents: Int8Array.of(0, 0),
    values: new Int32Array(8).fill(2 ** 12),
  } as const;
  expect(() => toGrid(update, -20)).toThrow(expect.objectContaining({ code: 'OUT_OF_RANGE' }));
  expect(toGrid({ ...update, values: new Int32Array(8).fill(2 ** 10) }, -20)[0]).toBe(2 ** 30);
});

test('brings every value to the grid as it is, or says that one does not fit', () => {
  fc.assert(
    fc.property(
      widths,
      fc.array(fc.tuple(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.nat(31)), {
        minLength: 8,
        maxLength: 8,
      }),
      fc.integer({ min: 0, max: 127 + 20 }),
      (bits, drawn, shift) => {
        // Small values as often as large ones, all of the width; its least integer is in no payload.
        const least = 1 - 2 ** (bits - 1);
        const values = drawn.map(([value, less]) => Math.max(least, value >> (32 - bits)) >> less);
        const exponents = Int8Array.of(gridExponent, Math.min(127, gridExponent + shift));
        const update = { layout, bits, exponents, values: Int32Array.from(values) };
        const factor = 2 ** ((exponents[1] as number) - gridExponent);
        const wanted = values.map((value, i) => (i < 5 ? value : value * factor));
        if (wanted.every((value) => Math.abs(value) < 2 ** 31)) {
          expect([...toGrid(update, gridExponent)]).toEqual(wanted.map((value) => value + 0));
        } else {
          expect(() => toGrid(update, gridExponent)).toThrow(
            expect.objectContaining({ code: 'OUT_OF_RANGE' }),
          );
        }
      },
    ),
    { numRuns: 2_000, seed: 1 },
  );
});

test('leaves the update as it was', () => {
  const values = Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const update = { layout, bits: 16, exponents: Int8Array.of(-20, -17), values } as const;
  expect([...toGrid(update, -20)]).toEqual([1, 2, 3, 4, 5, 48, 56, 64]);
  expect([...values]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('names weights by layout, grid and every integer', () => {
  const grid = Int32Array.of(1, 2, 3, 4, 5, 6, 7, -8);
  const digest = weightsDigest(layout, -20, grid);
  const expected = createHash('sha256')
    .update('consilium/weights/1\n')
    .update(Buffer.from(layout.digest, 'hex'))
    .update(Uint8Array.of(0xec))
    .update(
      Buffer.from('0100000002000000030000000400000005000000060000000700000' + '0f8ffffff', 'hex'),
    )
    .digest('hex');
  expect(digest).toBe(expected);
  expect(weightsDigest(layout, -19, grid)).not.toBe(digest);
  grid[7] = -7;
  expect(weightsDigest(layout, -20, grid)).not.toBe(digest);
});
