import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { falsePerSlice, matchLesions, sensitivityAt } from './lesion-matching.ts';

/** Draws planes from text: '.' background, any other sign its probability in tenths ('9' = 0.9, '#' = 1). */
function draw(...planes: string[][]): { values: Float32Array; size: [number, number, number] } {
  const rows = planes.flat();
  const values = Float32Array.from(rows.join(''), (sign) =>
    sign === '.' ? 0 : sign === '#' ? 1 : Number(sign) / 10,
  );
  return { values, size: [rows[0]?.length ?? 0, planes[0]?.length ?? 0, planes.length] };
}
const mask = (...planes: string[][]): Uint8Array =>
  Uint8Array.from(draw(...planes).values, (value) => (value > 0 ? 1 : 0));

describe('matching of lesions', () => {
  test('marking everything finds every lesion leniently and none strictly', () => {
    const truth = mask(['##....##', '##....##', '........', '........']);
    const everything = new Float32Array(32).fill(0.9);
    const scan = matchLesions(everything, truth, [8, 4, 1]);
    expect(sensitivityAt(scan, 1, 'lenient')).toBe(1);
    expect(sensitivityAt(scan, 1, 'strict')).toBe(0);
    expect(falsePerSlice(scan, 'strict')).toBe(1);
  });

  test('a region that covers half of the union matches strictly, one that covers less does not', () => {
    const truth = mask(['####....', '####....']);
    const half = draw(['99......', '99......']);
    const less = draw(['99......', '.99.....']);
    expect(sensitivityAt(matchLesions(half.values, truth, half.size), 0, 'strict')).toBe(1);
    // 4 of 8 pixels; one pixel moved outside makes 3 of 9.
    const outside = draw(['99......', '...99...']);
    expect(sensitivityAt(matchLesions(less.values, truth, less.size), 0, 'strict')).toBe(1);
    expect(sensitivityAt(matchLesions(outside.values, truth, outside.size), 0, 'strict')).toBe(0);
  });

  test('candidates are kept by falling score until the allowance of false ones is spent', () => {
    const truth = mask(['##......', '##......', '........', '........'], Array(4).fill('........'));
    const marked = draw(
      ['66....99', '66....99', '........', '........'],
      ['....88..', '....88..', '........', '........'],
    );
    const scan = matchLesions(marked.values, truth, marked.size);
    expect(scan.lesions).toBe(1);
    expect(sensitivityAt(scan, 0.5, 'lenient')).toBe(0); // one false one over two slices: 0.9 only
    expect(sensitivityAt(scan, 1, 'lenient')).toBe(1); // 0.9 and 0.8, then the true one
    expect(falsePerSlice(scan, 'lenient')).toBe(1);
  });

  test('regions under the smallest size count neither as lesion nor as candidate', () => {
    const truth = mask(['#......#', '.......#', '.......#', '.......#']);
    const marked = draw(['9.......', '........', '........', '........']);
    const scan = matchLesions(marked.values, truth, marked.size, { minPixels: 4 });
    expect(scan.lesions).toBe(1);
    expect(scan.candidates).toHaveLength(0);
  });

  test('a scan without lesions has no sensitivity but false candidates', () => {
    const marked = draw(['99..', '99..']);
    const scan = matchLesions(marked.values, new Uint8Array(8), marked.size);
    expect(sensitivityAt(scan, 1, 'lenient')).toBeNull();
    expect(falsePerSlice(scan, 'lenient')).toBe(1);
  });

  test('strict never exceeds lenient, and both grow with the allowance', () => {
    const pixels = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 96, maxLength: 96 });
    fc.assert(
      fc.property(pixels, pixels, (predicted, drawn) => {
        const truth = Uint8Array.from(drawn, (value) => (value > 5 ? 1 : 0));
        const values = Float32Array.from(predicted, (value) => value / 10);
        const scan = matchLesions(values, truth, [8, 6, 2], { minPixels: 1 });
        for (const rule of ['lenient', 'strict'] as const) {
          const at = [0, 1, 3, 100].map((allowed) => sensitivityAt(scan, allowed, rule) ?? 0);
          expect([...at].sort((a, b) => a - b)).toEqual(at);
        }
        // With every candidate kept, what matches strictly also touches.
        expect(sensitivityAt(scan, 100, 'strict') ?? 0).toBeLessThanOrEqual(
          sensitivityAt(scan, 100, 'lenient') ?? 0,
        );
      }),
      { seed: 11, numRuns: 200 },
    );
  });
});
