import type { NetworkName } from './inference-part.ts';
import type { Patience } from './stopwatch.ts';
import type { StepSize } from './unet-step.ts';

/** The sizes at which the kit measures, and how long each part may take. */
export interface KitPlan {
  readonly unet: readonly (StepSize & { readonly withFloat64: boolean })[];
  readonly training: readonly StepSize[];
  readonly inference: {
    readonly networks: readonly NetworkName[];
    readonly batches: readonly number[];
    readonly size: number;
    readonly slices: number;
  };
  readonly reading: {
    readonly batch: number;
    readonly slices: number;
    readonly storedSize: number;
    readonly size: number;
  };
  readonly profile: {
    readonly training: StepSize;
    readonly reading: StepSize;
    readonly runs: number;
  };
  readonly patience: Patience;
  /** For each process. */
  readonly limitSeconds: number;
}

/** A whole scan of this many slices has to go through the network within so many milliseconds on a GPU. */
export const scanTargetMs = 40;

/** What a hospital's machine would do. `onGpu` takes larger batches, which only a GPU is fast enough for. */
export function fullPlan(onGpu: boolean): KitPlan {
  return {
    unet: [
      { batch: 1, size: 32, withFloat64: true },
      { batch: 2, size: 64, withFloat64: false },
      { batch: 4, size: 128, withFloat64: false },
    ],
    training: [128, 256].flatMap((size) => [1, 4, 16].map((batch) => ({ batch, size }))),
    inference: {
      networks: ['reference', 'lesion'],
      batches: onGpu ? [1, 8, 30, 60] : [1, 4],
      size: 256,
      slices: 300,
    },
    reading: { batch: onGpu ? 30 : 4, slices: 300, storedSize: 512, size: 256 },
    profile: {
      training: { batch: 4, size: 128 },
      reading: { batch: onGpu ? 30 : 4, size: 256 },
      runs: 7,
    },
    patience: { warmUps: 2, atLeast: 3, atMost: 30, budgetMs: 4000 },
    limitSeconds: 300,
  };
}

/** Shows that everything runs, in a minute or two even where a processor plays the GPU; its times say nothing. */
export const quickPlan: KitPlan = {
  unet: [{ batch: 1, size: 16, withFloat64: true }],
  training: [
    { batch: 1, size: 16 },
    { batch: 2, size: 16 },
  ],
  inference: { networks: ['reference', 'lesion'], batches: [2], size: 32, slices: 4 },
  reading: { batch: 2, slices: 5, storedSize: 48, size: 32 },
  profile: { training: { batch: 1, size: 16 }, reading: { batch: 2, size: 32 }, runs: 3 },
  patience: { warmUps: 0, atLeast: 1, atMost: 3, budgetMs: 500 },
  limitSeconds: 240,
};
