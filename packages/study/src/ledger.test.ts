import type { Budget } from '@consilium/privacy';
import type { PrivatePolicy, ReserveBody, UpdateBody } from '@consilium/records';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SiteLedger } from './ledger.ts';

const policy: PrivatePolicy = {
  profile: 'balanced',
  epsilon: 8,
  delta: 1e-3,
  sampleRate: 0.25,
  noiseMultiplier: 1.75,
  clipNorm: 0.5,
  gradientExponent: -16,
  slicesPerPatient: 4,
  trainable: ['a'],
};

/** An accountant that anyone can check in their head: √steps. */
const budget: Budget = {
  cap: 8,
  epsilonAfter: Math.sqrt,
  affords: (steps, more) => Math.sqrt(steps + more) <= 8,
};

function reservation(round: number, steps: number, epsilon: number): ReserveBody {
  return { round, steps, epsilon, sampleRate: 0.25, noiseMultiplier: 1.75 };
}

function update(round: number, steps: number, reserve: number): UpdateBody {
  return {
    round,
    steps,
    base: new Uint8Array(32),
    payload: { digest: new Uint8Array(32), bytes: 74 },
    privacy: { profile: 'balanced', reserve },
  };
}

function ledger(): SiteLedger {
  return new SiteLedger(policy, budget);
}

test('lets each reservation pay for the one update of its round and steps', () => {
  const site = ledger();
  expect(site.reserve(3, reservation(1, 9, 3))).toBeNull();
  expect(site.pay(update(1, 9, 3))).toBeNull();
  expect(site.reserve(5, reservation(2, 16, 5))).toBeNull();
  expect(site.pay(update(2, 16, 5))).toBeNull();
  expect(site.spending).toEqual({ steps: 25, epsilon: 5, unused: 0, isExhausted: false });
});

test('counts a reservation that no update followed: it is spent', () => {
  const site = ledger();
  site.reserve(0, reservation(1, 9, 3));
  site.reserve(1, reservation(1, 7, 4));
  expect(site.pay(update(1, 7, 1))).toBeNull();
  expect(site.spending).toMatchObject({ steps: 16, epsilon: 4, unused: 1 });
});

describe('an update is not paid for', () => {
  test.each<[string, number, number, number]>([
    ['by a record that is no reservation', 1, 9, 2],
    ['by a reservation of another round', 2, 9, 3],
    ['by a reservation of fewer steps', 1, 10, 3],
    ['by a reservation of more steps', 1, 8, 3],
  ])('%s', (_, round, steps, reserve) => {
    const site = ledger();
    site.reserve(3, reservation(1, 9, 3));
    expect(site.pay(update(round, steps, reserve))).toMatchObject({ code: 'NOT_RESERVED' });
    expect(site.pay(update(1, 9, 3))).toBeNull();
  });

  test('by a reservation that has paid before', () => {
    const site = ledger();
    site.reserve(3, reservation(1, 9, 3));
    expect(site.pay(update(1, 9, 3))).toBeNull();
    expect(site.pay(update(1, 9, 3))).toMatchObject({ code: 'NOT_RESERVED' });
  });

  test.each<[string, UpdateBody['privacy']]>([
    ['no privacy', { profile: 'off' }],
    ['another profile', { profile: 'strict', reserve: 3 }],
  ])('when it claims %s', (_, privacy) => {
    const site = ledger();
    site.reserve(3, reservation(1, 9, 3));
    expect(site.pay({ ...update(1, 9, 3), privacy })).toMatchObject({ code: 'PRIVACY_PROFILE' });
  });
});

describe('a reservation is unsound, pays for nothing, and is spent all the same', () => {
  test.each<[string, ReserveBody, string]>([
    ['of another sample rate', { ...reservation(1, 9, 3), sampleRate: 0.2 }, 'PRIVACY_CLAIM'],
    ['of less noise', { ...reservation(1, 9, 3), noiseMultiplier: 1.7 }, 'PRIVACY_CLAIM'],
    ['that claims less than its history comes to', reservation(1, 9, 2.9), 'PRIVACY_CLAIM'],
    ['that claims more than its history comes to', reservation(1, 9, 3.1), 'PRIVACY_CLAIM'],
    ['that leads past the cap', reservation(1, 81, 9), 'OVER_BUDGET'],
  ])('%s', (_, body, code) => {
    const site = ledger();
    expect(site.reserve(0, body)).toMatchObject({ code });
    expect(site.pay(update(1, body.steps, 0))).toMatchObject({ code: 'NOT_RESERVED' });
    expect(site.spending.steps).toBe(body.steps);
  });

  test('but the last digits of a logarithm are no false claim', () => {
    expect(ledger().reserve(0, reservation(1, 9, 3 + 1e-7))).toBeNull();
  });
});

test('is exhausted when what was reserved last does not fit once more', () => {
  const site = ledger();
  site.reserve(0, reservation(1, 32, Math.sqrt(32)));
  expect(site.spending.isExhausted).toBe(false);
  site.reserve(1, reservation(2, 16, Math.sqrt(48)));
  expect(site.spending.isExhausted).toBe(false);
  site.reserve(2, reservation(3, 9, Math.sqrt(57)));
  expect(site.spending.isExhausted).toBe(true);
});

test('never lets what is spent fall, and never pays past the cap, whatever a site says', () => {
  const said = fc.oneof(
    fc.record({ steps: fc.integer({ min: 1, max: 40 }), lie: fc.constantFrom(1, 1, 1, 0.5, 2) }),
    fc.record({ pays: fc.nat({ max: 12 }), steps: fc.integer({ min: 1, max: 40 }) }),
  );
  fc.assert(
    fc.property(fc.array(said, { maxLength: 40 }), (history) => {
      const site = ledger();
      let before = 0;
      let reserved = 0;
      let paid = 0;
      for (const [index, entry] of history.entries()) {
        if ('lie' in entry) {
          reserved += entry.steps;
          site.reserve(index, reservation(1, entry.steps, entry.lie * Math.sqrt(reserved)));
        } else if (site.pay(update(1, entry.steps, entry.pays)) === null) {
          paid += entry.steps;
        }
        expect(site.spending.epsilon).toBeGreaterThanOrEqual(before);
        before = site.spending.epsilon;
      }
      expect(site.spending.steps).toBe(reserved);
      expect(Math.sqrt(paid)).toBeLessThanOrEqual(budget.cap);
    }),
    { seed: 20_261 },
  );
});
