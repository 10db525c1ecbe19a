import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLayout, layoutLimits, putPart, splitLayout, takePart } from './layout.ts';

const specs = [
  { name: 'enc0/conv/weight', shape: [4, 3, 3, 3] },
  { name: 'enc0/norm/scale', shape: [4] },
  { name: 'site/enc0/norm/scale', shape: [4] },
  { name: 'head/bias', shape: [2] },
];

test('lays tensors out one behind the other, in the order given', () => {
  const layout = createLayout(specs);
  expect(layout.tensors.map(({ offset, length }) => [offset, length])).toEqual([
    [0, 108],
    [108, 4],
    [112, 4],
    [116, 2],
  ]);
  expect(layout.length).toBe(118);
});

test('has a digest that changes with a name, a shape and the order, and with nothing else', () => {
  const digest = createLayout(specs).digest;
  expect(createLayout(structuredClone(specs)).digest).toBe(digest);
  expect(createLayout([...specs].reverse()).digest).not.toBe(digest);
  expect(
    createLayout(specs.map((s, i) => (i === 3 ? { ...s, name: 'head/bia' } : s))).digest,
  ).not.toBe(digest);
  expect(
    createLayout(specs.map((s, i) => (i === 3 ? { ...s, shape: [1, 2] } : s))).digest,
  ).not.toBe(digest);
});

test('pins the digest, since signed manifests hold it', () => {
  expect(createLayout([{ name: 'a', shape: [2, 3] }]).digest).toBe(
    // printf 'consilium/layout/1\n[["a",[2,3]]]' | sha256sum
    'b266e43d98a828befb57311fb0f3dbaf5dca32f437779b9923a7e970672b436d',
  );
});

test.each([
  ['a space in a name', [{ name: 'a b', shape: [1] }]],
  ['an empty name', [{ name: '', shape: [1] }]],
  [
    'a name used twice',
    [
      { name: 'a', shape: [1] },
      { name: 'a', shape: [2] },
    ],
  ],
  ['a dimension of zero', [{ name: 'a', shape: [2, 0] }]],
  ['a fractional dimension', [{ name: 'a', shape: [1.5] }]],
  ['nine dimensions', [{ name: 'a', shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] }]],
  ['too many values', [{ name: 'a', shape: [layoutLimits.values, 2] }]],
  ['dimensions whose product overflows', [{ name: 'a', shape: [2 ** 40, 2 ** 40, 2 ** 40] }]],
])('refuses %s', (_, bad) => {
  expect(() => createLayout(bad)).toThrow(expect.objectContaining({ code: 'BAD_LAYOUT' }));
});

test('splits by name and puts the parts back where they were, whatever the values', () => {
  const whole = createLayout(specs);
  const { shared, local } = splitLayout(whole);
  expect(local.tensors.map(({ name }) => name)).toEqual(['site/enc0/norm/scale']);
  expect(shared.length + local.length).toBe(whole.length);
  fc.assert(
    fc.property(fc.float32Array({ minLength: 118, maxLength: 118, noNaN: true }), (vector) => {
      const rebuilt = new Float32Array(whole.length);
      putPart(whole, shared, rebuilt, takePart(whole, shared, vector));
      putPart(whole, local, rebuilt, takePart(whole, local, vector));
      expect(rebuilt).toEqual(vector);
    }),
  );
});

test('refuses a vector of another length and a part of another shape', () => {
  const whole = createLayout(specs);
  const mismatch = expect.objectContaining({ code: 'LAYOUT_MISMATCH' });
  expect(() => takePart(whole, whole, new Float32Array(117))).toThrow(mismatch);
  const other = createLayout([{ name: 'head/bias', shape: [1, 2] }]);
  expect(() => takePart(whole, other, new Float32Array(118))).toThrow(mismatch);
});
