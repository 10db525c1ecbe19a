import { createOnnxEngine, type Engine } from '@consilium/compute';
import type { Scan } from '@consilium/imaging';
import { afterAll, expect, test } from 'vitest';
import { neighbour } from './draw-batch.ts';
import { createLesionModel, type LesionModel } from './lesion-model.ts';
import { initialWeights } from './network.ts';
import { orientationOf, turn } from './orientation.ts';
import { type Prediction, predict, predictSlices } from './predict.ts';
import { axisMap } from './resize.ts';
import { seeded } from './seeded.ts';
import { parseTask, smallTask } from './task.ts';

const task = parseTask({
  ...smallTask,
  network: { ...smallTask.network, size: 32, cropSize: 32 },
});
const { size, slices } = task.network;
const engine = createOnnxEngine();
const model = createLesionModel(engine, task, { readBatch: 4 });
afterAll(() => engine.close());

function weightsOf(seed: number): Float32Array {
  const random = seeded('site', seed);
  return initialWeights(task.network, seed).map((value) => value + 0.02 * random.normal());
}

function scanOf(width: number, height: number, depth: number, more: Partial<Scan> = {}): Scan {
  const random = seeded('scan', width, height, depth);
  const voxels = Float32Array.from({ length: width * height * depth }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width) % height];
    return -1100 + 900 * Math.sin(x / 5) * Math.cos(y / 7) + 300 * random.normal();
  });
  const flat = { spacingMm: null, affine: null, intensity: 'hounsfield' } as const;
  return { voxels, size: [width, height, depth], ...flat, ...more };
}

/** Whole arrays at every step, in the order of the definition: what `predict` is to give but for rounding. */
async function straightforward(
  reading: LesionModel,
  members: readonly Float32Array[],
  scan: Scan,
  mirrored: boolean,
): Promise<Prediction> {
  const depth = scan.size[2];
  const plane = size * size;
  const image = prepared(scan);
  const lung = new Float32Array(depth * plane);
  const lesion = new Float32Array(depth * plane);
  const views = mirrored ? [0, 1, 2, 3] : [0];
  for (const view of views) {
    const orientation = { mirrorX: view % 2 === 1, mirrorY: view > 1 };
    for (const weights of members) {
      for (let z = 0; z < depth; z++) {
        const input = new Float32Array(reading.readBatch * slices * plane);
        for (let i = 0; i < slices; i++) {
          const from = neighbour(z, i, slices, depth) * plane;
          const one = image.slice(from, from + plane);
          turn(one, size, size, orientation);
          input.set(one, i * plane);
        }
        const seen = await reading.read(input, weights);
        for (const [sum, values] of [
          [lung, seen.lung.slice(0, plane)],
          [lesion, seen.lesion.slice(0, plane)],
        ] as const) {
          turn(values, size, size, orientation);
          for (const [i, value] of values.entries()) {
            const share = value / (views.length * members.length);
            sum[z * plane + i] = (sum[z * plane + i] as number) + share;
          }
        }
      }
    }
  }
  const [lungOut, lesionInLung] = [finished(lung, scan), finished(lesion, scan)];
  const both = lesionInLung.map((value, i) => value * (lungOut[i] as number));
  return { lung: lungOut, lesion: both, lesionInLung };
}

function prepared(scan: Scan): Float32Array {
  const [width, height, depth] = scan.size;
  const [low, high] = scan.intensity === 'display' ? [0, 255] : task.input.windowHu;
  const image = new Float32Array(depth * size * size);
  for (let z = 0; z < depth; z++) {
    const plane = scan.voxels
      .slice(z * width * height, (z + 1) * width * height)
      .map((value) => (Math.min(high, Math.max(low, value)) - low) / (high - low));
    const small = resized(plane, width, height, size, size);
    turn(small, size, size, orientationOf(scan));
    image.set(small, z * size * size);
  }
  const sorted = image.slice().sort();
  const [from, to] = task.input.percentiles.map(
    (percent) => sorted[Math.round((percent / 100) * (sorted.length - 1))] as number,
  ) as [number, number];
  return image.map((value) => (value - from - 0.35 * (to - from)) / (0.33 * (to - from)));
}

function finished(logits: Float32Array, scan: Scan): Float32Array {
  const [width, height, depth] = scan.size;
  const plane = size * size;
  const result = new Float32Array(width * height * depth);
  const at = (z: number, i: number): number =>
    logits[Math.min(depth - 1, Math.max(0, z)) * plane + i] as number;
  for (let z = 0; z < depth; z++) {
    const fused = Float32Array.from(
      { length: plane },
      (_, i) => (at(z - 1, i) + at(z + 1, i)) / 4 + at(z, i) / 2,
    );
    turn(fused, size, size, orientationOf(scan));
    const large = resized(fused, size, size, width, height);
    result.set(
      large.map((value) => 1 / (1 + Math.exp(-value))),
      z * width * height,
    );
  }
  return result;
}

function resized(
  plane: Float32Array,
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
): Float32Array {
  const [columns, rows] = [axisMap(width, toWidth), axisMap(height, toHeight)];
  return Float32Array.from({ length: toWidth * toHeight }, (_, place) => {
    const [x, y] = [place % toWidth, Math.floor(place / toWidth)];
    let sum = 0;
    for (let j = 0; j < (rows.count[y] as number); j++) {
      for (let i = 0; i < (columns.count[x] as number); i++) {
        const row = (rows.first[y] as number) + j;
        const column = (columns.first[x] as number) + i;
        const weight =
          (rows.weights[y * rows.stride + j] as number) *
          (columns.weights[x * columns.stride + i] as number);
        sum += weight * (plane[row * width + column] as number);
      }
    }
    return sum;
  });
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

const turned = [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

test.each([
  ['larger than the network’s planes', scanOf(75, 50, 9), 1, false],
  ['smaller, of one slice', scanOf(20, 24, 1), 1, false],
  ['of their size, with fewer slices than a batch', scanOf(32, 32, 3), 1, false],
  ['one voxel wide', scanOf(1, 40, 5), 1, false],
  ['turned by its affine', scanOf(64, 40, 5, { affine: turned }), 1, false],
  ['by two members', scanOf(40, 40, 6), 2, false],
  ['with its mirror images, by two members', scanOf(40, 36, 5), 2, true],
])('a scan %s is read as by whole arrays', async (_, scan, members, mirrored) => {
  const ensemble = [weightsOf(1), weightsOf(2)].slice(0, members);
  const wanted = await straightforward(model, ensemble, scan, mirrored);
  const got = await predict(model, ensemble, scan, { mirrored });
  for (const name of ['lung', 'lesion', 'lesionInLung'] as const) {
    expect(got[name]).toHaveLength(scan.voxels.length);
    expect(largestDifference(got[name], wanted[name]), name).toBeLessThan(2e-6);
    // Something is there to be compared.
    expect(Math.max(...got[name]) - Math.min(...got[name])).toBeGreaterThan(1e-3);
  }
});

test('slice by slice comes the same as the whole', async () => {
  const scan = scanOf(40, 30, 10);
  const [weights, plane] = [weightsOf(3), 40 * 30];
  const whole = await predict(model, weights, scan);
  let z = 0;
  for await (const slice of predictSlices(model, weights, scan)) {
    for (const name of ['lung', 'lesion', 'lesionInLung'] as const) {
      expect(slice[name]).toEqual(whole[name].slice(z * plane, (z + 1) * plane));
    }
    z += 1;
  }
  expect(z).toBe(10);
});

/** An engine that tells how many runs are under way, and what happened in which order. */
function watched(): Engine & { running: number; diary: string[] } {
  const state = { running: 0, diary: [] as string[] };
  return Object.assign(state, {
    name: 'watched',
    compile: async () => {
      throw new Error('reading compiles readers');
    },
    compileReader: async (...args: Parameters<NonNullable<Engine['compileReader']>>) => {
      const reader = await engine.compileReader?.(...args);
      if (reader === undefined) throw new Error('the engine has readers');
      state.diary.push('opened');
      return {
        run: async (...given: Parameters<typeof reader.run>) => {
          state.running += 1;
          state.diary.push('run');
          try {
            return await reader.run(...given);
          } finally {
            state.running -= 1;
            state.diary.push('ran');
          }
        },
        close: async () => {
          state.diary.push('closed');
          await reader.close();
        },
      };
    },
    close: async () => undefined,
  });
}

test('the next batch is on its way while the slices of the last are given out', async () => {
  const spied = watched();
  const reading = createLesionModel(spied, task, { readBatch: 2 });
  const started: number[] = [];
  for await (const _ of predictSlices(reading, weightsOf(4), scanOf(32, 32, 8))) {
    started.push(spied.diary.filter((entry) => entry === 'run').length);
  }
  // Slice 0 needs slice 1, which the first batch has; slice 1 needs the second batch, while which the third is asked for.
  expect(started).toEqual([2, 3, 3, 4, 4, 4, 4, 4]);
  await reading.close();
});

test('an abort ends it with the signal’s reason, and leaves nothing running', async () => {
  const spied = watched();
  const reading = createLesionModel(spied, task, { readBatch: 1 });
  const [weights, scan] = [weightsOf(4), scanOf(32, 32, 30)];
  const abort = new AbortController();
  const reason = new Error('the node stops');
  const reads = async (): Promise<void> => {
    let count = 0;
    for await (const _ of predictSlices(reading, weights, scan, { signal: abort.signal })) {
      count += 1;
      if (count === 3) abort.abort(reason);
    }
  };
  await expect(reads()).rejects.toBe(reason);
  expect(spied.running).toBe(0);
  expect(spied.diary.filter((entry) => entry === 'run').length).toBeLessThan(8);
  const aborted = predict(reading, weights, scan, { signal: AbortSignal.abort(reason) });
  await expect(aborted).rejects.toBe(reason);
  // It is as usable as before.
  await expect(predict(reading, weights, scan)).resolves.toHaveProperty('lung');
  await reading.close();
});

test('left early it waits for the batch under way', async () => {
  const spied = watched();
  const reading = createLesionModel(spied, task, { readBatch: 1 });
  for await (const _ of predictSlices(reading, weightsOf(4), scanOf(32, 32, 30))) {
    break;
  }
  expect(spied.running).toBe(0);
  expect(spied.diary.at(-1)).toBe('ran');
  await reading.close();
});

test('a failure of the engine is told, and nothing is left running', async () => {
  const failing: Engine = {
    ...watched(),
    compileReader: async () => ({
      run: () => Promise.reject(new Error('the device is gone')),
      close: async () => undefined,
    }),
  };
  const reading = createLesionModel(failing, task);
  await expect(predict(reading, weightsOf(4), scanOf(32, 32, 3))).rejects.toThrow(
    'the device is gone',
  );
  await reading.close();
});

test('readers are kept for the same values and closed for others', async () => {
  const spied = watched();
  const reading = createLesionModel(spied, task, { readBatch: 3 });
  const scan = scanOf(32, 32, 2);
  const changes = (): string[] =>
    spied.diary.splice(0).filter((entry) => entry === 'opened' || entry === 'closed');
  const [one, two] = [weightsOf(5), weightsOf(6)];
  await predict(reading, one, scan);
  expect(changes()).toEqual(['opened']);
  await predict(reading, one.slice(), scan);
  expect(changes()).toEqual([]);
  await predict(reading, [two, one], scan);
  expect(changes()).toEqual(['opened']);
  await predict(reading, two, scan);
  expect(changes()).toEqual(['closed']);
  two[0] = (two[0] as number) + 1;
  await predict(reading, two, scan);
  expect(changes().sort()).toEqual(['closed', 'opened']);
  await reading.close();
  expect(changes()).toEqual(['closed']);
});

test('weights of another network are refused', async () => {
  await expect(predict(model, [weightsOf(1).subarray(1)], scanOf(32, 32, 2))).rejects.toMatchObject(
    { code: 'LAYOUT_MISMATCH' },
  );
});
