import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { blockedChannels } from './blocked-channels.ts';
import { blockedDomain } from './blocked-values.ts';
import { OnnxModel } from './onnx-model.ts';

test('on x86 the runtime has blocks of 8 or 16 channels', async () => {
  const block = await blockedChannels();
  if (process.arch === 'x64') expect([8, 16]).toContain(block);
  else expect([undefined, 8, 16]).toContain(block);
});

test('a blocked image keeps that many channels of a pixel together', async ({ skip }) => {
  const block = await blockedChannels();
  if (block === undefined) return skip('this runtime has no blocked layout');
  const shape = [1, 2 * block, 2, 3];
  const model = new OnnxModel();
  model.input('x', shape);
  model.output('y', model.node(`${blockedDomain}.ReorderInput`, ['x']), shape);
  const session = await InferenceSession.create(model.finish());
  const plain = Float32Array.from({ length: 12 * block }, (_, i) => i);
  const { y } = await session.run({ x: new Tensor('float32', plain, shape) });
  await session.release();
  const expected: number[] = [];
  for (let channel = 0; channel < 2 * block; channel += block) {
    for (let pixel = 0; pixel < 6; pixel++) {
      for (let lane = 0; lane < block; lane++) expected.push((channel + lane) * 6 + pixel);
    }
  }
  expect([...(y?.data ?? [])]).toEqual(expected);
});
