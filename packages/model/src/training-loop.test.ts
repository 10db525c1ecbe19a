import {
  ComputeError,
  createOnnxEngine,
  type Engine,
  type OptimizerState,
  type TrainingProgram,
} from '@consilium/compute';
import { generatePatient } from '@consilium/imaging/phantom';
import { afterAll, describe, expect, test } from 'vitest';
import { createLesionModel } from './lesion-model.ts';
import { initialWeights } from './network.ts';
import { preparePatient } from './prepare.ts';
import { parseTask, smallTask } from './task.ts';
import { type TrainStepsResult, trainSteps } from './train.ts';

const engine = createOnnxEngine({});
afterAll(() => engine.close());

const tasks = (['adam', 'sgd'] as const).map((optimizer) =>
  parseTask({
    ...smallTask,
    network: { ...smallTask.network, size: 32, cropSize: 32, channels: [8, 16] },
    training: { ...smallTask.training, batch: 4, siteRate: 0.25, optimizer, clipNorm: 0.5 },
  }),
);
const [first] = tasks;
if (first === undefined) throw new RangeError('there is no task');
const cohort = [1, 2].map((seed) =>
  preparePatient(
    generatePatient({
      seed,
      profile: 'hospital-a',
      condition: { kind: 'covid', day: 9 },
      size: [32, 32, 6],
    }),
    first,
  ),
);

/** The engine as one whose weights stay with it; `afterSteps` steps of a program its memory is full. */
function deviceEngine(afterSteps = Number.POSITIVE_INFINITY): Engine & { residentSteps: number } {
  const device: Engine & { residentSteps: number } = {
    name: 'device',
    isDevice: true,
    residentSteps: 0,
    compile: (graph) => engine.compile(graph),
    async compileTraining(graph, init, start) {
      const program = await engine.compileTraining?.(graph, init, start);
      if (program === undefined) throw new RangeError('the engine has no way to train');
      const step: TrainingProgram['step'] = (inputs, options) => {
        if (device.residentSteps >= afterSteps) {
          return Promise.reject(new ComputeError('OUT_OF_MEMORY', 'the device is full'));
        }
        device.residentSteps += 1;
        return program.step(inputs, options);
      };
      return { ...program, step };
    },
    close: async () => undefined,
  };
  return device;
}

async function trainOn(
  on: Engine,
  task: (typeof tasks)[number],
  optimizerState: OptimizerState | null = null,
): Promise<TrainStepsResult> {
  const model = createLesionModel(on, task);
  const weights = initialWeights(task.network, 1);
  const result = await trainSteps({ model, cohort, weights, optimizerState, steps: 5, seed: 5 });
  await model.close();
  return result;
}

describe.each(tasks)('with $training.optimizer', (task) => {
  test('weights that stay on the device come to the same as weights that do not', async () => {
    const device = deviceEngine();
    const [resident, here] = [await trainOn(device, task), await trainOn(engine, task)];
    expect(device.residentSteps).toBe(5);
    expect(resident.meanLoss).toBeCloseTo(here.meanLoss, 6);
    expect(resident.optimizerState.steps).toBe(5);
    expectClose(resident.weights, here.weights);
    const [again, onwards] = [
      await trainOn(device, task, resident.optimizerState),
      await trainOn(engine, task, here.optimizerState),
    ];
    expectClose(again.weights, onwards.weights);
  });

  test('a device that is full in the middle costs nothing: training goes on from where it was', async () => {
    const device = deviceEngine(2);
    const [split, here] = [await trainOn(device, task), await trainOn(engine, task)];
    expect(device.residentSteps).toBe(2);
    expect(split.optimizerState.steps).toBe(5);
    expectClose(split.weights, here.weights);
  });

  test('a loss that is not finite ends it', async () => {
    const model = createLesionModel(deviceEngine(), task);
    const weights = initialWeights(task.network, 1);
    weights[weights.length - 1] = Number.NaN;
    const init = { model, cohort, weights, optimizerState: null, steps: 5, seed: 5 };
    await expect(trainSteps(init)).rejects.toMatchObject({ code: 'NON_FINITE' });
    await model.close();
  });
});

function expectClose(got: Float32Array, wanted: Float32Array): void {
  const error = Math.hypot(...got.map((value, i) => value - (wanted[i] ?? 0)));
  expect(error / Math.hypot(...wanted)).toBeLessThan(1e-6);
}
