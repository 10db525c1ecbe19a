import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createGraph } from './builder.ts';
import { quantizedTensors, quantizeModel } from './onnx-quantize.ts';
import { toOnnx } from './to-onnx.ts';

/** The runtime's setting `session.x64quantprecision`: `1` makes it sum exactly on every processor, at twice the time. */
export type Int8Precision = '0' | '1';

/**
 * The fastest setting at which products of 8-bit numbers are summed exactly on this machine. Processors without the instruction for it (VNNI) add two products in
 * 16 bits, which overflows; the runtime leaves it to its caller to know.
 */
export async function int8Precision(): Promise<Int8Precision> {
  return (await sumsExactly('0')) ? '0' : '1';
}

/** Whether a sum of the largest 8-bit products comes out right: 72 ones times ones. */
export async function sumsExactly(precision: Int8Precision): Promise<boolean> {
  const g = createGraph();
  const x = g.input('x', [1, 8, 3, 3]);
  g.output('y', g.conv2d(x, g.parameter('w', [16, 8, 3, 3]), null, { padding: 0 }));
  const ones = (length: number): Float32Array => new Float32Array(length).fill(1);
  const model = toOnnx(g.build(), { weights: ones(16 * 72) });
  const [from = '', to = ''] = quantizedTensors(model);
  const ranges = new Map([
    [from, { least: 0, most: 1 }],
    [to, { least: 0, most: 102 }],
  ]);
  const session = await InferenceSession.create(quantizeModel(model, ranges), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: { session: { x64quantprecision: precision } },
  });
  const { y } = await session.run({ x: new Tensor('float32', ones(72), [1, 8, 3, 3]) });
  await session.release();
  // Half a step of the result's scale.
  return y !== undefined && (y.data as Float32Array).every((sum) => Math.abs(sum - 72) <= 0.2);
}
