import { expect, test } from 'vitest';
import { seeded } from '../random-fixture.ts';
import { areaUnderRoc, rocArea } from './roc.ts';

test.each([
  [[0, 4, 6, 7], [1, 2, 3, 5], 11 / 16],
  [[3, 3, 8], [3, 5], 3 / 6], // two ties count half each
  [[9, 8], [1, 2, 3], 1],
  [[1], [5, 6], 0],
])('members %o above others %o: %d', (members, others, area) => {
  expect(areaUnderRoc(members, others)).toBeCloseTo(area, 12);
});

test('refuses a group without anybody', () => {
  expect(() => areaUnderRoc([], [3])).toThrow(RangeError);
  expect(() => areaUnderRoc([3], [])).toThrow(RangeError);
});

test('the interval has the width that Hanley and McNeil’s standard error gives', () => {
  // Evenly spread scores: members over [0.2, 1.2], others over [0, 1], 300 of each.
  const spread = Array.from({ length: 300 }, (_, i) => (i + 0.5) / 300);
  const { area, low, high } = rocArea(
    spread.map((x) => x + 0.2),
    spread,
    seeded('roc 17'),
  );
  expect(area).toBeCloseTo(1 - 0.8 ** 2 / 2, 3);
  // P[two members above one other] = P[one member above two others], by integration over the one.
  const q = 0.2 + (1 - 0.2 ** 3) / 3;
  const variance = (area * (1 - area) + 2 * 299 * (q - area ** 2)) / 300 ** 2;
  for (const side of [area - low, high - area]) {
    expect(side / (1.96 * Math.sqrt(variance))).toBeGreaterThan(0.9);
    expect(side / (1.96 * Math.sqrt(variance))).toBeLessThan(1.1);
  }
});

test('the same bytes give the same interval, and others another', () => {
  const members = [0.3, 1.4, 2.2, 0.9, 3.1, 0.2];
  const others = [0.1, 1.3, 0.8, 2.9, 0.4];
  expect(rocArea(members, others, seeded('roc 4'))).toEqual(
    rocArea(members, others, seeded('roc 4')),
  );
  expect(rocArea(members, others, seeded('roc 4'))).not.toEqual(
    rocArea(members, others, seeded('roc 5')),
  );
});
