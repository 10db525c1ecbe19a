import { expect, test } from 'vitest';
import { int8Precision, sumsExactly } from './int8-probe.ts';

test('products of 8-bit numbers are summed exactly at the setting that is chosen, and always at the slow one', async () => {
  expect(await sumsExactly(await int8Precision())).toBe(true);
  expect(await sumsExactly('1')).toBe(true);
});
