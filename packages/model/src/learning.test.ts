import { createOnnxEngine } from '@consilium/compute';
import { generatePatient } from '@consilium/imaging/phantom';
import { expect, test } from 'vitest';
import { evaluatePatient, summarise } from './evaluate.ts';
import { createLesionModel } from './lesion-model.ts';
import { initialWeights } from './network.ts';
import { predict } from './predict.ts';
import { preparePatient } from './prepare.ts';
import { parseTask, smallTask } from './task.ts';
import { trainSteps } from './train.ts';

const steps = 120;
const task = parseTask({
  ...smallTask,
  training: {
    ...smallTask.training,
    decaySteps: steps,
    // Few steps, few patients: faster and with less held against marks outside the lung than where there is time.
    learningRate: 0.015,
    lungLesionWeight: 4,
    outsideWeight: 0.1,
    augmentation: {
      ...smallTask.training.augmentation,
      rotateDegrees: 0,
      zoom: 0,
      stretch: 0,
      shift: 0,
      blur: 0,
      sharpen: 0,
      field: 0,
      contrast: 0,
      brightness: 0,
      gamma: 0,
      noise: 0,
    },
  },
});
const patientOf = (seed: number) =>
  generatePatient({
    seed,
    profile: 'hospital-a',
    condition: { kind: 'covid', day: 3 + (seed % 15) },
    size: [64, 64, 16],
  });

test('a hundred and twenty steps on four patients find lung and lesion in two others', async () => {
  const engine = createOnnxEngine({});
  const model = createLesionModel(engine, task);
  const losses: number[] = [];
  const { weights } = await trainSteps(
    {
      model,
      cohort: [1, 2, 3, 4].map((seed) => preparePatient(patientOf(seed), task)),
      weights: initialWeights(task.network, 1),
      optimizerState: null,
      steps,
      seed: 1,
    },
    { onProgress: ({ loss }) => losses.push(loss) },
  );
  const mean = (part: number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
  expect(mean(losses.slice(-10))).toBeLessThan(0.7 * mean(losses.slice(0, 10)));
  const evaluations = [];
  for (const patient of [11, 12].map(patientOf)) {
    evaluations.push(evaluatePatient(patient, await predict(model, weights, patient.scan)));
  }
  await engine.close();
  const { metrics, collapsed } = summarise(evaluations, 1);
  expect(collapsed).toBe(false);
  expect(metrics.lungDice.mean).toBeGreaterThan(0.75);
  expect(metrics.diceInLung.mean).toBeGreaterThan(0.45);
  expect(metrics.dice.mean).toBeGreaterThan(0.2);
}, 60_000);
