export { WeightsError, type WeightsErrorCode } from './error.ts';
export {
  fromGrid,
  type GridBits,
  type GridVector,
  type QuantizeInit,
  quantize,
  type RandomBytes,
  toGrid,
  weightsDigest,
} from './grid.ts';
export {
  checkLength,
  createLayout,
  isLocal,
  type Layout,
  layoutLimits,
  putPart,
  splitLayout,
  type TensorSlot,
  type TensorSpec,
  takePart,
} from './layout.ts';
export { toNpz } from './npz.ts';
export { decodePayload, encodePayload, payloadBytes } from './payload.ts';
export { toSafetensors } from './safetensors.ts';
