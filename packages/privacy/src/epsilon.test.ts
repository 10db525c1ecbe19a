import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Accountant, epsilon } from './epsilon.ts';
import type { PrivacyEvent } from './event.ts';
import { rdp } from './rdp.ts';

const { CONSILIUM_SHARED } = process.env;
const shared = CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared');
const vectorFile = join(shared, 'vectors/epsilon_published.csv');

const accountants = ['rdp', 'pld'] as const;
const event = (sampleRate: number, noiseMultiplier: number, steps: number): PrivacyEvent => ({
  sampleRate,
  noiseMultiplier,
  steps,
});

const tenths = Array.from({ length: 99 }, (_, i) => (11 + i) / 10);
const opacusOrders = [...tenths, ...Array.from({ length: 52 }, (_, i) => 12 + i)];
const thousandths = Array.from({ length: 99_000 }, (_, i) => (1001 + i) / 1000);

// Published by the libraries themselves: commit and test are in the comment of each line.
test.each([
  // Opacus 4d0ebc8, tests/accountants_test.py
  [0.04, 1.5, 2250, 1e-5, 'rdp', opacusOrders, 7.32911117143, 1e-7],
  // TensorFlow Privacy 03035d5, compute_dp_sgd_privacy_test.py: best orders 19 and 13
  [0.0025, 1.3, 6000, 1e-5, 'rdp', undefined, 0.7242234026109595, 1e-6],
  [0.001, 1.0, 30_000, 1e-7, 'rdp', undefined, 1.4154988495444842, 1e-6],
  [0.01, 0.7, 120, 1e-5, 'pld', undefined, 2.4612381, 1e-4],
  [1, 0.7, 2, 1e-5, 'pld', undefined, 10.1224946, 1e-4],
  // dp_accounting b5b0286, accountant tests
  [1, 4.530877117, 1, 1e-6, 'rdp', thousandths, 1, 1e-6],
  [0.01, 0.67379294682, 1, 1e-5, 'pld', undefined, 1, 1e-4],
  [0.001, 0.53492750433, 25, 1e-5, 'pld', undefined, 1, 1e-4],
] as const)(
  'q = %d, σ = %d, %d steps, δ = %d by %s',
  (q, sigma, steps, delta, accountant, orders, published, within) => {
    const got = epsilon([event(q, sigma, steps)], delta, accountant, orders ? { orders } : {});
    expect(Math.abs(got - published)).toBeLessThan(within);
  },
);

interface Row {
  readonly id: string;
  readonly history: readonly PrivacyEvent[];
  readonly delta: number;
  readonly accountant: string;
  readonly min: number;
  readonly max: number;
}

function readRows(): Row[] {
  const lines = readFileSync(vectorFile, 'utf8').trim().split('\n');
  const [header = [], ...rows] = lines.map(splitLine);
  return rows.flatMap((cells) => {
    const cell = (name: string) => cells[header.indexOf(name)] ?? '';
    if (cell('accept_min') === '' || cell('kind').includes('calibration')) return [];
    const history: [number, number, number][] = JSON.parse(cell('history_q_sigma_steps'));
    return {
      id: cell('id'),
      history: history.map(([q, sigma, steps]) => event(q, sigma, steps)),
      delta: Number(cell('delta')),
      accountant: cell('accountant'),
      min: Number(cell('accept_min')),
      max: Number(cell('accept_max')),
    };
  });
}

/** Cells between commas; a quoted cell may hold commas, and quotes twice. */
function splitLine(line: string): string[] {
  const cells = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return [...cells].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}

function ordersOf(accountant: string): { orders?: readonly number[] } {
  if (accountant === 'rdp:opacus-orders') return { orders: opacusOrders };
  if (accountant.includes('step 0.001')) return { orders: thousandths };
  return {};
}

test.skipIf(!existsSync(vectorFile))(
  'every published figure is within its range',
  { timeout: 120_000 },
  () => {
    const rows = readRows();
    for (const { id, history, delta, accountant, min, max } of rows) {
      const name = accountant === 'pld' ? 'pld' : 'rdp';
      const got = epsilon(history, delta, name, ordersOf(accountant));
      expect(got, id).toBeGreaterThanOrEqual(min);
      expect(got, id).toBeLessThanOrEqual(max);
    }
    expect(rows.length).toBeGreaterThan(50);
  },
);

const rates = fc.double({ min: -3.5, max: -0.5, noNaN: true }).map((exponent) => 10 ** exponent);
const noises = fc.double({ min: Math.log(0.9), max: Math.log(9), noNaN: true }).map(Math.exp);
const counts = fc.integer({ min: 1, max: 40 });
const events = fc.tuple(rates, noises, counts).map((parts) => event(...parts));
const deltas = fc.double({ min: -10, max: -2, noNaN: true }).map((exponent) => 10 ** exponent);

test('by PLD is at most what it is by RDP, and both grow with steps and sampling, and fall with noise and δ', () => {
  fc.assert(
    fc.property(events, deltas, ({ sampleRate: q, noiseMultiplier: sigma, steps }, delta) => {
      const at = (history: PrivacyEvent, d: number) =>
        accountants.map((accountant) => epsilon([history], d, accountant));
      const [byRdp = Number.NaN, byPld = Number.NaN] = at(event(q, sigma, steps), delta);
      expect(byPld).toBeLessThanOrEqual(byRdp + 1e-3);
      const more = [
        at(event(q, sigma, Math.ceil(steps * 1.1)), delta),
        at(event(Math.min(1, q * 1.05), sigma, steps), delta),
        at(event(q, sigma * 0.95, steps), delta),
        at(event(q, sigma, steps), delta * 0.8),
      ];
      for (const [moreRdp = Number.NaN, morePld = Number.NaN] of more) {
        expect(moreRdp).toBeGreaterThanOrEqual(byRdp);
        expect(morePld).toBeGreaterThanOrEqual(byPld);
      }
    }),
    { seed: 40, numRuns: 8, endOnFailure: true },
  );
});

test('does not depend on how, or in which order, a history is written down', () => {
  fc.assert(
    fc.property(fc.array(events, { minLength: 2, maxLength: 3 }), deltas, (history, delta) => {
      const split = history.flatMap(({ steps, ...rest }) =>
        steps > 5
          ? [
              { ...rest, steps: 5 },
              { ...rest, steps: steps - 5 },
            ]
          : [{ ...rest, steps }],
      );
      for (const accountant of accountants) {
        const wanted = epsilon(history, delta, accountant);
        expect(epsilon(history.toReversed(), delta, accountant)).toBe(wanted);
        expect(
          epsilon(
            split.toSorted((a, b) => a.steps - b.steps),
            delta,
            accountant,
          ),
        ).toBe(wanted);
      }
    }),
    { seed: 41, numRuns: 4, endOnFailure: true },
  );
});

test.each(accountants)(
  'by %s, events that hardly differ are worth what equal ones are',
  (accountant) => {
    const equal = epsilon([event(0.03, 1.2, 200)], 1e-6, accountant);
    const near = [event(0.03, 1.2, 80), event(0.03 * (1 + 1e-12), 1.2, 120)];
    expect(epsilon(near, 1e-6, accountant)).toBeCloseTo(equal, 9);
  },
);

test('orders are those that RDP is given', () => {
  const orders = [6.5];
  const wanted = 80 * rdp(0.1, 2.5, 6.5) + Math.log(5.5 / 6.5) - Math.log(1e-6 * 6.5) / 5.5;
  expect(epsilon([event(0.1, 2.5, 80)], 1e-6, 'rdp', { orders })).toBeCloseTo(wanted, 12);
});

test.each([
  [1e-5, 50, 1, 0.3],
  [0.002, 20, 2, 0.04],
])('is 0 where δ alone covers q = %d, σ = %d, %d steps', (q, sigma, steps, delta) => {
  for (const accountant of accountants) {
    expect(epsilon([event(q, sigma, steps)], delta, accountant)).toBe(0);
  }
});

test.each([
  [1e-5, 0.1, 1, 1e-10],
  [1e-12, 0.1, 7, 1e-5],
  [1, 0.1, 2 ** 30, 1e-5],
  [0.5, 0.01, 3, 1e-7],
  [0.5, 1e-5, 3, 1e-7],
  [0.3, 1e-160, 3, 1e-7],
  [0.01, 900, 2 ** 40, 1e-6],
  [0.9999, 3, 50, 1e-9],
])('holds at the far ends: q = %d, σ = %d, %d steps, δ = %d', (q, sigma, steps, delta) => {
  const byRdp = epsilon([event(q, sigma, steps)], delta, 'rdp');
  const byPld = epsilon([event(q, sigma, steps)], delta, 'pld');
  expect(byPld).toBeGreaterThanOrEqual(0);
  expect(byPld).toBeLessThanOrEqual(byRdp * (1 + 1e-6) + 1e-3);
});

test.each(accountants)('by %s, nothing spends nothing', (accountant: Accountant) => {
  expect(epsilon([], 1e-5, accountant)).toBe(0);
});

test.each([
  [0, 1.5, 10, 1e-5],
  [1.2, 1.5, 10, 1e-5],
  [0.1, 0, 10, 1e-5],
  [0.1, Infinity, 10, 1e-5],
  [0.1, Number.NaN, 10, 1e-5],
  [0.1, 1.5, 0, 1e-5],
  [0.1, 1.5, 2.5, 1e-5],
  [0.1, 1.5, 2 ** 53, 1e-5],
  [0.1, 1.5, 10, 0],
  [0.1, 1.5, 10, 1],
  [0.1, 1.5, 10, Number.NaN],
])('refuses q = %d, σ = %d, %d steps, δ = %d', (q, sigma, steps, delta) => {
  for (const accountant of accountants) {
    expect(() => epsilon([event(q, sigma, steps)], delta, accountant)).toThrow(RangeError);
  }
});
