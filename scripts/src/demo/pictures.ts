import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  encodePng,
  enlarge,
  type Mask,
  montage,
  type Overlay,
  renderSlice,
  type Scan,
  type Tile,
} from '@consilium/imaging';
import type { LesionTask } from '@consilium/model';
import { type CohortSource, createTrainer, type SlicePicture } from '@consilium/node';
import type { DemoPlan } from './plan.ts';

const truthColour = [80, 220, 100] as const;
const predictionColour = [240, 70, 60] as const;

/** Writes, for each site with held-out patients, slices as they are, with the truth (green) and with the prediction (red). Returns the folder. */
export async function writePictures(
  plan: DemoPlan,
  task: LesionTask,
  weights: Float32Array,
  folder: string,
  signal: AbortSignal,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const trainer = createTrainer();
  try {
    for (const { name, test } of plan.sites) {
      if (test === null) continue;
      const job = { task, weights, cohort: test as CohortSource, patients: 2, slicesEach: 1 };
      const pictures = await trainer.pictures(job, { signal });
      await writeFile(
        join(folder, `${name}.png`),
        encodePng(montage(pictures.flatMap(tilesOf), 3)),
      );
    }
  } finally {
    await trainer.stop();
  }
  return folder;
}

function tilesOf(picture: SlicePicture): Tile[] {
  const { width, height, grey, truth, predicted } = picture;
  const size = [width, height, 1] as const;
  const scan: Scan = {
    voxels: Float32Array.from(grey),
    size,
    spacingMm: null,
    affine: null,
    intensity: 'display',
  };
  const outline = (voxels: Uint8Array, colour: Overlay['colour']): Overlay => ({
    mask: { voxels, size } satisfies Mask,
    colour,
  });
  const drawn = (overlays: readonly Overlay[], label: string): Tile => ({
    label,
    picture: enlarge(
      renderSlice(scan, 0, { centre: 127.5, width: 255 }, overlays),
      width < 256 ? 2 : 1,
    ),
  });
  return [
    drawn([], `slice ${picture.slice}`),
    drawn([outline(truth.lesion, truthColour)], 'truth'),
    drawn([outline(predicted.lesion, predictionColour)], 'prediction'),
  ];
}
