/**
 * Learns one batch in a process whose address space is held to what it has plus so many MiB (0: not held), and prints what it saw as JSON. For
 * the test of real failures to allocate.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createOnnxEngine } from '@consilium/compute';
import { emptyBatch } from './draw-batch.ts';
import { createLesionModel } from './lesion-model.ts';
import type { MicrobatchReduced } from './microbatch.ts';
import { initialWeights } from './network.ts';
import { seeded } from './seeded.ts';
import { type LesionTask, smallTask } from './task.ts';

const roomMiB = Number(process.argv[2]);
const task: LesionTask = {
  ...smallTask,
  network: { size: 128, cropSize: 128, slices: 3, channels: [16, 16], groupChannels: 8 },
  training: { ...smallTask.training, batch: 24 },
};
const random = seeded('out of memory');
const batch = emptyBatch(task.network, task.training.batch);
for (const values of Object.values(batch)) {
  for (let i = 0; i < values.length; i++) values[i] = random.uniform();
}
const weights = initialWeights(task.network, 1);
const engine = createOnnxEngine();
const told: MicrobatchReduced[] = [];
const model = createLesionModel(engine, task, { onReduced: (reduced) => told.push(reduced) });
// One small program first: the library and its threads are in memory then.
await model.check(weights);
const before = addressSpace();
if (roomMiB > 0) {
  execFileSync('prlimit', [`--pid=${process.pid}`, `--as=${before + roomMiB * 2 ** 20}`]);
}
try {
  const { loss, gradient } = await model.learn(batch, weights);
  print({ loss, gradient: [...gradient.subarray(0, 256)], told });
} catch (error) {
  const { name, code, message } = error as { name: string; code?: string; message: string };
  print({ name, code, message, told });
}

function addressSpace(): number {
  const [, kiB] = /VmSize:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kiB) * 1024;
}

function print(seen: object): void {
  process.stdout.write(JSON.stringify({ ...seen, grownMiB: (addressSpace() - before) / 2 ** 20 }));
}
