/**
 * Tries one engine and measures it, in a process of its own: a driver that crashes takes nothing else with it. Started by `probeEngine`; it is told the
 * engine, tells each step, and ends with its parent.
 */
import { createEngine } from '@consilium/compute';
import { type Batch, createLesionModel, initialWeights, seeded, smallTask } from '@consilium/model';
import { deviceOf } from './device-name.ts';
import type { FromProbe, ToProbe } from './engine-probe.ts';

/** After so long no further step is begun: software pretending to be a GPU takes seconds for each. */
const mostMs = 10_000;

process.on('disconnect', () => process.exit());
process.once('message', (message: ToProbe) => {
  void probe(message).then(
    (found) => tell({ kind: 'found', ...found }),
    (error: { code?: string; message: string }) =>
      tell({ kind: 'failed', code: error.code ?? 'UNKNOWN', message: String(error.message) }),
  );
});

async function probe({ engine: name, steps, ...options }: ToProbe): Promise<Found> {
  const engine = await createEngine(name, options);
  const model = createLesionModel(engine, smallTask);
  const weights = initialWeights(smallTask.network, 1);
  await model.check(weights);
  const batch = madeUpBatch();
  // The first step compiles, and is not measured; a GPU's device stays open from here on.
  const { gradient } = await model.learn(batch, weights);
  const device = await deviceOf(name, options.threads ?? 1);
  const stepMs: number[] = [];
  const begun = performance.now();
  for (let step = 1; step <= steps; step++) {
    const start = performance.now();
    if (start - begun > mostMs) break;
    await model.learn(batch, weights);
    stepMs.push(performance.now() - start);
    tell({ kind: 'step', step });
  }
  await model.close();
  await engine.close();
  return { device, gradientNorm: Math.hypot(...gradient), stepMs };
}

type Found = Omit<Extract<FromProbe, { kind: 'found' }>, 'kind'>;

function madeUpBatch(): Batch {
  const { batch } = smallTask.training;
  const { cropSize, slices } = smallTask.network;
  const random = seeded('engine probe');
  const pixels = batch * cropSize * cropSize;
  const lesionTruth = Float32Array.from({ length: pixels }, () => (random.uniform() < 0.2 ? 1 : 0));
  return {
    image: Float32Array.from({ length: slices * pixels }, () => random.normal()),
    lungTruth: new Float32Array(pixels).fill(1),
    lesionTruth,
    lungWeight: new Float32Array(pixels).fill(1),
    lesionWeight: new Float32Array(pixels).fill(1),
    outside: new Float32Array(pixels),
  };
}

function tell(message: FromProbe): void {
  process.send?.(message);
}
