import { InferenceSession, Tensor } from 'onnxruntime-node';
import { blockedDomain } from './blocked-values.ts';
import { OnnxModel } from './onnx-model.ts';

let probe: Promise<number | undefined> | undefined;

/**
 * The channels in a block of onnxruntime's own image layout: 16 with AVX-512, 8 on other x86 machines, undefined where this
 * build of the runtime has no such layout for this processor. Asked once for each process, by reordering one pixel.
 */
export function blockedChannels(): Promise<number | undefined> {
  probe ??= reorderPixel();
  return probe;
}

async function reorderPixel(): Promise<number | undefined> {
  const channels = 4; // the least that the operator takes
  const model = new OnnxModel();
  model.input('x', [1, channels, 1, 1]);
  const blocked = model.node(`${blockedDomain}.ReorderInput`, ['x']);
  model.output('y', model.node('Shape', [blocked]), [4], 'int64');
  try {
    const session = await InferenceSession.create(model.finish(), { logSeverityLevel: 4 });
    const x = new Tensor('float32', new Float32Array(channels), [1, channels, 1, 1]);
    const { y } = await session.run({ x });
    await session.release();
    const block = Number(y?.data[1]);
    return block > channels ? block : undefined;
  } catch {
    // A runtime without the domain refuses the model: the standard operators do then.
    return undefined;
  }
}
