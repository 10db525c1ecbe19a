import { decodePayload, encodePayload, toGrid, WeightsError } from '@consilium/weights';
import type { AcceptedUpdate } from '../decide.ts';
import { StudyError } from '../error.ts';
import type { Founding } from '../manifest.ts';
import { isFault, openPayload } from '../open-payload.ts';
import type { BlobReader } from '../sum.ts';
import type { AuditOptions } from './audit-progress.ts';
import { walkWeights } from './weights-walk.ts';

/**
 * The weights after these updates, as the fold computes them: what is not here, or refused, does not count.
 * @throws {StudyError} `NO_INITIAL_WEIGHTS`. @throws the signal's reason.
 */
export async function shownWeights(
  founding: Founding,
  updates: readonly AcceptedUpdate[],
  blobs: BlobReader,
  { signal, onProgress }: AuditOptions = {},
): Promise<Int32Array> {
  const totalBytes = updates.reduce((sum, update) => sum + update.payloadBytes, 0);
  let doneBytes = 0;
  let weights = await initialWeights(founding, blobs);
  const walk = walkWeights({
    initial: weights,
    updates,
    partsOf: () => [],
    async gridOf(update) {
      signal?.throwIfAborted();
      const bytes = await blobs.get(update.payload);
      doneBytes += update.payloadBytes;
      onProgress?.({ doneBytes, totalBytes });
      if (bytes === undefined) return null;
      const opened = openPayload(founding, update, bytes);
      return isFault(opened) ? null : opened.grid;
    },
  });
  for await (const state of walk) weights = state.weights;
  return weights;
}

/** Weights on the grid as the payload that a bundle shows them in: 32 bits each. */
export function shownPayload({ layout, manifest }: Founding, values: Int32Array): Uint8Array {
  const exponents = new Int8Array(layout.tensors.length).fill(manifest.gridExponent);
  return encodePayload({ layout, bits: 32, exponents, values });
}

async function initialWeights(
  { layout, manifest }: Founding,
  blobs: BlobReader,
): Promise<Int32Array> {
  const { digest } = manifest.initialWeights;
  try {
    const bytes = await blobs.get(Buffer.from(digest).toString('hex'));
    if (bytes !== undefined) return toGrid(decodePayload(layout, bytes), manifest.gridExponent);
  } catch (cause) {
    if (!(cause instanceof WeightsError)) throw cause;
    const message = `the initial weights are refused: ${cause.message}`;
    throw new StudyError('NO_INITIAL_WEIGHTS', message, { cause });
  }
  throw new StudyError('NO_INITIAL_WEIGHTS', 'the initial weights are not here yet');
}
