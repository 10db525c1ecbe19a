import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type ActivationRange, type ActivationRanges, withOutputs } from './onnx-quantize.ts';
import type { NamedShape } from './onnx-reading-worker.ts';

/** The ranges of tensors inside a model over some runs of it, each with every input by name. Computes on the calling thread. */
export async function measureRanges(
  model: Uint8Array,
  tensors: readonly string[],
  inputs: readonly NamedShape[],
  runs: readonly Readonly<Record<string, Float32Array>>[],
): Promise<ActivationRanges> {
  const session = await InferenceSession.create(withOutputs(model, tensors), {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const ranges = new Map<string, ActivationRange>(
    tensors.map((name) => [name, { least: 0, most: 0 }]),
  );
  for (const run of runs) {
    const feeds = inputs.map(({ name, shape }) => {
      const tensor = new Tensor('float32', run[name] ?? new Float32Array(), shape);
      return [name, tensor] as const;
    });
    const results = await session.run(Object.fromEntries(feeds), [...tensors]);
    for (const [name, range] of ranges) {
      ranges.set(name, widened(range, results[name]?.data as Float32Array));
    }
  }
  await session.release();
  return ranges;
}

function widened({ least, most }: ActivationRange, values: Float32Array): ActivationRange {
  let [low, high] = [least, most];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { least: low, most: high };
}
