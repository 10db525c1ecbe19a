import { type WeightsFormat, weightsMediaTypes } from '@consilium/client';
import { toOnnx } from '@consilium/compute';
import { forwardGraph, ModelError, networkLayout, parseTask } from '@consilium/model';
import type { StudyState } from '@consilium/study';
import {
  createLayout,
  encodePayload,
  fromGrid,
  type Layout,
  putPart,
  splitLayout,
  toNpz,
  toSafetensors,
} from '@consilium/weights';
import { ApiError } from './error.ts';
import { withOnnxMetadata } from './onnx-metadata.ts';

/** A state's weights as bytes. */
export interface WeightsFile {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/**
 * A state's shared weights in a format.
 *
 * - `payload`: the integers on the grid, 32 bits each, and nothing beside them: what the digest is over.
 * - `safetensors`, `npz`: the float32 nearest to each integer, by tensor, with `metadata`.
 * - `onnx`: the whole forward network for one plane, with these weights in it and every site's own correction zero, with `metadata`.
 *
 * Equal arguments give equal bytes.
 *
 * @throws {ApiError} `FORMAT_UNAVAILABLE` for `onnx` when the study's task is none that this version knows.
 */
export function weightsFile(
  state: StudyState,
  format: WeightsFormat,
  metadata: Readonly<Record<string, string>>,
): WeightsFile {
  const { manifest, weights } = state;
  const layout = createLayout(manifest.layout);
  const values = (): Float32Array => fromGrid(weights, manifest.gridExponent);
  const bytes = {
    payload: () =>
      encodePayload({
        layout,
        bits: 32,
        exponents: new Int8Array(layout.tensors.length).fill(manifest.gridExponent),
        values: weights,
      }),
    safetensors: () => toSafetensors(layout, values(), metadata),
    npz: () => toNpz(layout, values(), metadata),
    onnx: () => withOnnxMetadata(network(manifest.task, layout, values()), metadata),
  }[format]();
  return { mediaType: weightsMediaTypes[format], bytes };
}

function network(task: unknown, shared: Layout, values: Float32Array): Uint8Array {
  const spec = networkOf(task);
  const layout = networkLayout(spec);
  if (splitLayout(layout).shared.digest !== shared.digest) {
    throw new ApiError('FORMAT_UNAVAILABLE', 'the study’s weights are not those of its network');
  }
  const whole = new Float32Array(layout.length);
  putPart(layout, shared, whole, values);
  return toOnnx(forwardGraph(spec, 1), { weights: whole });
}

function networkOf(task: unknown): Parameters<typeof networkLayout>[0] {
  try {
    return parseTask(task).network;
  } catch (cause) {
    if (!(cause instanceof ModelError)) throw cause;
    const message = `the study’s task is none that this version can draw: ${cause.message}`;
    throw new ApiError('FORMAT_UNAVAILABLE', message, { cause });
  }
}
