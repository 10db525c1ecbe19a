import { expect, test } from 'vitest';
import { createLayout } from './layout.ts';
import { toSafetensors } from './safetensors.ts';

test('writes a header of a multiple of eight bytes and each tensor at the offsets it names', () => {
  const layout = createLayout([
    { name: 'a', shape: [2] },
    { name: 'b', shape: [1, 3] },
  ]);
  const bytes = toSafetensors(layout, Float32Array.of(1, 2, 3, 4, 5.5), { digest: 'abc' });
  const view = new DataView(bytes.buffer);
  const headerLength = Number(view.getBigUint64(0, true));
  expect(headerLength % 8).toBe(0);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)));
  expect(header).toEqual({
    __metadata__: { digest: 'abc' },
    a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
    b: { dtype: 'F32', shape: [1, 3], data_offsets: [8, 20] },
  });
  expect(view.getFloat32(8 + headerLength + header.b.data_offsets[1] - 4, true)).toBe(5.5);
  expect(bytes.length).toBe(8 + headerLength + 20);
});
