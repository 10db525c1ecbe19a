import { ComputeError } from './error.ts';
import type { OptimizerState } from './optimizer.ts';

// Layout, little-endian: 'COPT', version 1, rule (1 adam, 2 sgd), two zero bytes, steps as float64,
// lengths of both moment vectors as uint32, then the vectors as float32.
const magic = 0x54504f43;
const headerBytes = 24;

/** The state as bytes, to be kept beside the weights between rounds. */
export function encodeOptimizerState({ rule, steps, first, second }: OptimizerState): Uint8Array {
  const bytes = new Uint8Array(headerBytes + 4 * (first.length + second.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint8(4, 1);
  view.setUint8(5, rule === 'adam' ? 1 : 2);
  view.setFloat64(8, steps, true);
  view.setUint32(16, first.length, true);
  view.setUint32(20, second.length, true);
  let at = headerBytes;
  for (const moments of [first, second]) {
    for (const value of moments) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  return bytes;
}

/** @throws {ComputeError} `BAD_STATE` for bytes that {@link encodeOptimizerState} did not write. */
export function decodeOptimizerState(bytes: Uint8Array): OptimizerState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headerBytes || view.getUint32(0, true) !== magic || view.getUint8(4) !== 1) {
    throw new ComputeError('BAD_STATE', 'these bytes are not an optimizer state of version 1');
  }
  const ruleCode = view.getUint8(5);
  const steps = view.getFloat64(8, true);
  const lengths = [view.getUint32(16, true), view.getUint32(20, true)] as const;
  if (ruleCode !== 1 && ruleCode !== 2) {
    throw new ComputeError('BAD_STATE', `there is no optimizer rule ${ruleCode}`);
  }
  if (!Number.isSafeInteger(steps) || steps < 0 || view.getUint16(6, true) !== 0) {
    throw new ComputeError('BAD_STATE', `the number of steps is ${steps}`);
  }
  if (
    bytes.length !== headerBytes + 4 * (lengths[0] + lengths[1]) ||
    lengths[1] !== (ruleCode === 1 ? lengths[0] : 0)
  ) {
    throw new ComputeError('BAD_STATE', `${bytes.length} bytes for ${lengths.join(' + ')} moments`);
  }
  const read = (from: number, length: number): Float32Array =>
    Float32Array.from({ length }, (_, index) => view.getFloat32(from + 4 * index, true));
  return {
    rule: ruleCode === 1 ? 'adam' : 'sgd',
    steps,
    first: read(headerBytes, lengths[0]),
    second: read(headerBytes + 4 * lengths[0], lengths[1]),
  };
}
