import { readFile } from 'node:fs/promises';
import { createOnnxEngine } from '@consilium/compute';
import { generatePatient } from '@consilium/imaging/phantom';
import { afterAll, expect, test } from 'vitest';
import { calibrationInputs } from './calibration.ts';
import { dice } from './dice.ts';
import { createLesionModel } from './lesion-model.ts';
import { predict, readingThreshold } from './predict.ts';
import { decodePretrained, pretrainedFile } from './pretrained.ts';
import { smallTask } from './task.ts';

const engine = createOnnxEngine();
afterAll(() => engine.close());

test('what is read on 8-bit numbers is what is read on float32, but for a few voxels', async () => {
  const weights = decodePretrained(
    smallTask.network,
    await readFile(pretrainedFile(smallTask.network) as URL),
  );
  const inputs = calibrationInputs(smallTask);
  expect(inputs.length).toBeGreaterThan(16);
  const exact = createLesionModel(engine, smallTask);
  // 5, so that the last batch of inputs has to be filled up.
  const whole = createLesionModel(engine, smallTask, { int8: inputs, readBatch: 5 });
  const { scan, lesion } = generatePatient({
    seed: 77,
    profile: 'hospital-b',
    condition: { kind: 'covid', day: 11 },
    size: [96, 96, 9],
  });
  const marked = (values: Float32Array): Uint8Array =>
    Uint8Array.from(values, (value) => (value >= readingThreshold ? 1 : 0));
  const [wanted, got] = [await predict(exact, weights, scan), await predict(whole, weights, scan)];
  expect(dice(marked(got.lesion), marked(wanted.lesion))).toBeGreaterThan(0.97);
  expect(dice(marked(got.lung), marked(wanted.lung))).toBeGreaterThan(0.99);
  expect(got.lesion).not.toEqual(wanted.lesion);
  const truth = lesion?.voxels as Uint8Array;
  const [before, after] = [wanted, got].map(({ lesion: read }) => dice(marked(read), truth) ?? 0);
  expect(Math.abs((before as number) - (after as number))).toBeLessThan(0.01);
  await Promise.all([exact.close(), whole.close()]);
});
