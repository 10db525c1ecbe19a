import {
  createLayout,
  decodePayload,
  fromGrid,
  type Layout,
  toGrid,
  WeightsError,
  weightsDigest,
} from '@consilium/weights';
import type { StudyAnswer } from './answers.ts';
import { ClientError } from './error.ts';

/** A state's shared weights, checked against the digest that names it. */
export interface StateWeights {
  readonly digest: string;
  readonly layout: Layout;
  /** Integers times 2^gridExponent: what the digest is over. */
  readonly grid: Int32Array;
  readonly gridExponent: number;
  /** The float32 nearest to each. */
  readonly values: Float32Array;
}

/**
 * Reads a 32-bit payload as the weights of the state `digest`. The layout and the grid are only what the node says they are, but both are part of the
 * digest: with others it would be another one.
 *
 * @throws {ClientError} `WEIGHTS`.
 */
export function readWeights(
  digest: string,
  { layout: tensors, gridExponent }: Pick<StudyAnswer, 'layout' | 'gridExponent'>,
  payload: Uint8Array,
): StateWeights {
  try {
    const layout = createLayout(tensors);
    const grid = toGrid(decodePayload(layout, payload), gridExponent);
    const found = weightsDigest(layout, gridExponent, grid);
    if (found !== digest) {
      throw new ClientError('WEIGHTS', `the weights have the digest ${found}, wanted ${digest}`);
    }
    return { digest, layout, grid, gridExponent, values: fromGrid(grid, gridExponent) };
  } catch (cause) {
    if (!(cause instanceof WeightsError)) throw cause;
    throw new ClientError('WEIGHTS', `these are no weights: ${cause.message}`, { cause });
  }
}
