import { type Graph, layoutOf, sizeOf } from '@consilium/compute';
import { referenceUNet } from '../reference-unet.ts';

/** The reference U-Net's form apart from what it is fed with: 487,713 parameters. */
export const unetForm = { widths: [16, 32, 64, 128], groups: 8 } as const;

/** How much one step sees. */
export interface StepSize {
  readonly batch: number;
  /** Height and width in pixels, a multiple of 8. */
  readonly size: number;
}

/** The reference U-Net, forward with its loss. */
export function unetGraph({ batch, size }: StepSize): Graph {
  return referenceUNet({ batch, size, ...unetForm });
}

/** The reference U-Net for reading: its loss is cut off, its input `target` stays and is not looked at. */
export function unetReader(step: StepSize): Graph {
  const graph = unetGraph(step);
  return { ...graph, outputs: graph.outputs.filter(({ name }) => name === 'probability') };
}

/**
 * Weights from which training starts: convolutions uniform with variance 2 ÷ fan-in, scales 1, the rest 0.
 * @see He et al. 2015, Delving Deep into Rectifiers
 */
export function startWeights(graph: Graph, seed: number): Float32Array {
  const random = createUniform(seed);
  const layout = layoutOf(graph);
  const weights = new Float32Array(layout.length);
  for (const { name, offset, length, shape } of layout.tensors) {
    const bound = shape.length > 1 ? Math.sqrt(6 / (length / (shape[0] ?? 1))) : 0;
    const base = name.endsWith('scale') ? 1 : 0;
    for (let i = offset; i < offset + length; i++) weights[i] = base + bound * (2 * random() - 1);
  }
  return weights;
}

/** A batch for {@link unetGraph}: an image of noise in [0, 1), its brightest 30 % as the target. */
export function drawBatch(
  { batch, size }: StepSize,
  seed: number,
): Record<'image' | 'target', Float32Array> {
  const random = createUniform(seed);
  const image = Float32Array.from({ length: sizeOf([batch, 1, size, size]) }, random);
  return { image, target: image.map((value) => (value > 0.7 ? 1 : 0)) };
}

/** Uniform in [0, 1) from a 32-bit seed: a linear congruential generator is enough to fill images. */
export function createUniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
