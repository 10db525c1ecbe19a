import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bernoulliExp, type Ratio } from './bernoulli-exp.ts';
import { expDigits } from './exp-digits-fixture.ts';
import { seeded, wordsThen } from './random-fixture.ts';
import { createUniform } from './uniform.ts';

/** The outcome for a uniform number that begins with `words`, and how often integers were asked. */
function toss(words: readonly number[], gamma: number, exact: Ratio): [boolean, number] {
  let asked = 0;
  const uniform = createUniform(wordsThen(words, seeded('rest')));
  const outcome = bernoulliExp(uniform, gamma, () => {
    asked++;
    return exact;
  });
  return [outcome, asked];
}

function ratio(numerator: bigint, denominator: bigint): Ratio {
  return { numerator, denominator };
}

test('knows 1/e to 256 bits, as published', () => {
  // OEIS A068985.
  const decimals =
    '36787944117144232159552377016146086744581113103176783450783680169746149574489980335714727434591964';
  const digits = expDigits(ratio(1n, 1n), 8).reduce((all, word) => (all << 32n) | BigInt(word), 0n);
  const published = (BigInt(decimals) << 256n) / 10n ** BigInt(decimals.length);
  expect(digits).toBe(published);
});

test.each([
  ['1', ratio(1n, 1n)],
  ['1/3', ratio(1n, 3n)],
  ['7/2', ratio(7n, 2n)],
  ['41/2', ratio(41n, 2n)],
  ['40', ratio(40n, 1n)],
  ['2^-60', ratio(1n, 2n ** 60n)],
  ['(2^40 - 1) / (2^40 + 1)', ratio(2n ** 40n - 1n, 2n ** 40n + 1n)],
])('decides by integers on the boundary: a uniform number next to exp(-%s)', (_, exact) => {
  const gamma = Number(exact.numerator) / Number(exact.denominator);
  const digits = expDigits(exact, 6);
  for (let same = 1; same < 6; same++) {
    const common = digits.slice(0, same);
    const digit = digits[same] ?? 0;
    if (digit > 0) expect(toss([...common, digit - 1], gamma, exact)).toEqual([true, 1]);
    if (digit < 0xffffffff) {
      expect(toss([...common, digit + 1], gamma, exact)).toEqual([false, 1]);
    }
  }
});

test('decides by floating-point numbers off the boundary, and the same as integers do', () => {
  const tosses = fc.tuple(fc.bigInt(0n, 2n ** 70n), fc.bigInt(1n, 2n ** 70n), fc.nat(0xffffffff));
  fc.assert(
    fc.property(tosses, ([numerator, denominator, word]) => {
      const exact = ratio(numerator, denominator);
      const gamma = Number(numerator) / Number(denominator);
      const [outcome, asked] = toss([word], gamma, exact);
      // With NaN for γ nothing is known, and integers decide.
      expect(toss([word], Number.NaN, exact)).toEqual([outcome, 1]);
      const isNear = Math.abs(word - Math.exp(-gamma) * 2 ** 32) < 1.1;
      if (!isNear) expect(asked).toBe(0);
    }),
  );
});

test('is true for exactly the share exp(-γ) of all first words: the one below the boundary, not the one above', () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 2n ** 64n), fc.bigInt(2n ** 60n, 2n ** 64n), (n, d) => {
      const gamma = Number(n) / Number(d);
      const [first = 0] = expDigits(ratio(n, d), 1);
      if (first > 0) expect(toss([first - 1], gamma, ratio(n, d))[0]).toBe(true);
      if (first < 0xffffffff) expect(toss([first + 1], gamma, ratio(n, d))[0]).toBe(false);
    }),
  );
});

test('is always true for γ = 0', () => {
  expect(toss([0xffffffff], 0, ratio(0n, 1n))).toEqual([true, 1]);
});

test.each([1e3, 1e9, Infinity])(
  'comes to an end for γ = %d and a uniform number near zero',
  (gamma) => {
    const exact = ratio(gamma === Infinity ? 10n ** 400n : BigInt(gamma), 1n);
    expect(toss([0, 0, 0, 1], gamma, exact)).toEqual([false, 1]);
  },
);

test('Math.exp here is wrong by less than a thousandth of what is left to it', () => {
  for (let i = 1; i <= 5000; i++) {
    const gamma = i / 128;
    const [high = 0, middle = 0, low = 0] = expDigits(ratio(BigInt(i), 128n), 3);
    const digits = (high * 2 ** 32 + middle) * 2 ** -64 + low * 2 ** -96;
    expect(Math.abs(Math.exp(-gamma) - digits)).toBeLessThan(2 ** -51);
  }
});
