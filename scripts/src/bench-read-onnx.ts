// Our side of bench-read, in a process of its own like PyTorch's, so that both have a peak of memory to compare: reads JSON commands as
// bench-read-torch.py does, {"batch": b, "slices": n}, and answers {"wall": ms, "cpu": ms}.
import { createInterface } from 'node:readline';
import { compileReader, createOnnxEngine, layoutOf, type Reader } from '@consilium/compute';
import { type ReferenceUNet, referenceReading } from './reference-unet.ts';

interface Init extends Omit<ReferenceUNet, 'batch'> {
  readonly threads: number;
  readonly slices: number;
  readonly seed: number;
  /** Convolves with 8-bit numbers. */
  readonly int8: boolean;
}

const init: Init = JSON.parse(process.argv[2] ?? '{}');
const plane = init.size ** 2;
const random = createUniform(init.seed);
const weights = drawWeights();
const scan = Float32Array.from({ length: init.slices * plane }, random);
const probability = new Float32Array(scan.length);
const engine = createOnnxEngine({ threads: init.threads });
let open: { batch: number; reader: Reader } | null = null;

say({ name: init.int8 ? `${engine.name} int8` : engine.name, parameters: weights.length });
for await (const line of createInterface({ input: process.stdin })) {
  const { batch, slices }: { batch: number; slices: number } = JSON.parse(line);
  const reader = await readerFor(batch);
  const start = performance.now();
  const startCpu = process.cpuUsage();
  for (let first = 0; first < slices; first += batch) {
    const image = scan.subarray(first * plane, (first + batch) * plane);
    const outputs = await reader.run({ image });
    probability.set(outputs['probability'] ?? [], first * plane);
  }
  const { user, system } = process.cpuUsage(startCpu);
  say({ wall: performance.now() - start, cpu: (user + system) / 1000 });
}
await engine.close();

/** Ready to run: compiling is no part of the clock, as building the module is none in PyTorch. */
async function readerFor(batch: number): Promise<Reader> {
  if (open?.batch === batch) return open.reader;
  await open?.reader.close();
  const samples = [0, 1].map((i) => ({
    image: scan.slice(i * batch * plane, (i + 1) * batch * plane),
  }));
  const graph = referenceReading({ ...init, batch });
  const reader = await compileReader(engine, graph, weights, init.int8 ? { int8: samples } : {});
  open = { batch, reader };
  return reader;
}

function drawWeights(): Float32Array {
  const layout = layoutOf(referenceReading({ ...init, batch: 1 }));
  const drawn = new Float32Array(layout.length);
  for (const { name, offset, length, shape } of layout.tensors) {
    const bound = shape.length === 4 ? Math.sqrt(6 / (length / (shape[0] ?? 1))) : 0;
    const base = name.endsWith('scale') ? 1 : 0;
    for (let i = offset; i < offset + length; i++) drawn[i] = base + bound * (2 * random() - 1);
  }
  return drawn;
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Uniform in [0, 1) from a seed, so that runs can be repeated (a linear congruential generator is enough to fill images). */
function createUniform(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
