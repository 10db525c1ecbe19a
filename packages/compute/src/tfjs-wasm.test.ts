import { expect, test } from 'vitest';
import { refuseFailedAllocations } from './tfjs-wasm.ts';

test('an allocation that fails is an error, not the address 0', () => {
  const memory = { _malloc: (byteLength: number) => (byteLength > 1000 ? 0 : 16), _free() {} };
  refuseFailedAllocations(memory);
  expect(memory._malloc(1000)).toBe(16);
  expect(() => memory._malloc(1001)).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }));
});

test('a length beyond 32 bits is refused before the module would cut it', () => {
  const memory = { _malloc: (byteLength: number) => (byteLength >>> 0) + 16, _free() {} };
  refuseFailedAllocations(memory);
  expect(() => memory._malloc(2 ** 32 + 8)).toThrow(
    expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
  );
});
