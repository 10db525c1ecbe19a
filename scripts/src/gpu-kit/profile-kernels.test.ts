import { expect, test } from 'vitest';
import { floorMs, kernelsOf, type ProfileEvent, sharesOf } from './profile-kernels.ts';

const shapes = {
  conv: {
    input_type_shape: [{ float: [2, 3, 8, 8] }, { float: [5, 3, 3, 3] }],
    output_type_shape: [{ float: [2, 5, 8, 8] }],
    activation_size: '1536',
    parameter_size: '540',
    output_size: '2560',
  },
  reshape: { output_type_shape: [{ float: [640] }], activation_size: '2560', output_size: '2560' },
};

function ran(name: string, op: string, dur: number, args: ProfileEvent['args']): ProfileEvent {
  return { cat: 'Node', name: `${name}_kernel_time`, dur, args: { ...args, op_name: op } };
}

const processor = [7, 3, 5].flatMap((dur) => [
  ran('down0 #1', 'Conv', dur, shapes.conv),
  ran('down0 #2', 'Reshape', 1, shapes.reshape),
]);
const device = [700, 300, 500].flatMap((dur) => [
  { cat: 'Api', name: 'down0 #1&Conv&Transpose', dur: 20 },
  { cat: 'Api', name: 'down0 #1&Conv&Conv2dMM', dur },
]);

test('takes the median run, and the work of a convolution from its shapes', () => {
  const { clock, kernels } = kernelsOf(processor, 3);
  expect(clock).toBe('processor');
  // 2 · 2·5·8·8 results · 3·3·3 products; the bytes are those of the event.
  const flop = 2 * 640 * 27;
  expect(kernels[0]).toEqual({ name: 'down0 #1', op: 'Conv', ms: 0.005, flop, bytes: 4636 });
  expect(kernels[1]).toMatchObject({ op: 'Reshape', flop: 0, bytes: 0 });
});

test('believes the device about itself, and adds up the kernels of one operator', () => {
  const { clock, kernels } = kernelsOf([...processor, ...device], 3);
  expect(clock).toBe('device');
  expect(kernels.map(({ ms }) => ms)).toEqual([0.52, 0]);
});

test('a convolution whose weights the profile does not show has the work of its layer', () => {
  const { input_type_shape: [x = {}] = [] } = shapes.conv;
  const hidden = ran('up0 #7_token_5', 'Conv', 1, { ...shapes.conv, input_type_shape: [x] });
  const { kernels } = kernelsOf([hidden], 1, new Map([['up0', 34_560]]));
  expect(kernels[0]?.flop).toBe(34_560);
});

test('a matrix product counts its inner dimension, a transposed convolution its input', () => {
  const product = ran('a', 'MatMul', 1, {
    input_type_shape: [{ float: [4, 6, 7] }, { float: [7, 9] }],
    output_type_shape: [{ float: [4, 6, 9] }],
  });
  const spread = ran('b', 'ConvTranspose', 1, {
    input_type_shape: [{ float: [1, 5, 8, 8] }, { float: [5, 3, 2, 2] }],
    output_type_shape: [{ float: [1, 3, 16, 16] }],
  });
  expect(kernelsOf([product, spread], 1).kernels.map(({ flop }) => flop)).toEqual([
    2 * 4 * 6 * 9 * 7,
    2 * 5 * 64 * 3 * 4,
  ]);
});

test('a floor is the longer of arithmetic and memory, and shares add up to one', () => {
  const kernel = { name: 'a', op: 'Conv', ms: 3, flop: 4e9, bytes: 6e6 };
  expect(floorMs(kernel, { gflopPerSecond: 2000, gbytePerSecond: 300 })).toBeCloseTo(2, 12);
  expect(floorMs(kernel, { gflopPerSecond: 2000, gbytePerSecond: 1 })).toBeCloseTo(6, 12);
  const other = { ...kernel, op: 'Mul', ms: 9, flop: 0 };
  const shares = sharesOf([kernel, other, kernel], { gflopPerSecond: 2000, gbytePerSecond: 300 });
  expect(shares.map(({ op, count, share }) => [op, count, share])).toEqual([
    ['Mul', 1, 0.6],
    ['Conv', 2, 0.4],
  ]);
  expect(shares[1]?.floorMs).toBeCloseTo(4, 12);
});
