import { type Condition, generatePatient, type ScannerName } from '@consilium/imaging/phantom';
import { neighbour } from './draw-batch.ts';
import { prepareScan } from './prepare.ts';
import type { LesionTask } from './task.ts';

/** Scanners and stages of disease that lie apart, and one healthy person: ranges must hold for all. */
const people: readonly { profile: ScannerName; condition: Condition }[] = [
  { profile: 'hospital-a', condition: { kind: 'covid', day: 6 } },
  { profile: 'hospital-b', condition: { kind: 'covid', day: 12 } },
  { profile: 'hospital-c', condition: { kind: 'covid', day: 20 } },
  { profile: 'external', condition: { kind: 'control', confounders: [] } },
];

const slicesEach = 6;

/**
 * Inputs of the network, [slices][size][size] each, of generated patients, the same every time: from them a reader takes the ranges of what goes
 * through the network (see `LesionModelInit.int8`). No person's scan is in them. To make them takes seconds, so make them once.
 */
export function calibrationInputs(task: LesionTask): Float32Array[] {
  const { size, slices } = task.network;
  const plane = size * size;
  return people.flatMap(({ profile, condition }, seed) => {
    const { scan } = generatePatient({ seed, profile, condition, size: [size, size, slicesEach] });
    const { image, depth } = prepareScan(scan, task);
    return Array.from({ length: depth }, (_, z) => {
      const input = new Float32Array(slices * plane);
      for (let i = 0; i < slices; i++) {
        const from = neighbour(z, i, slices, depth) * plane;
        input.set(image.subarray(from, from + plane), i * plane);
      }
      return input;
    });
  });
}
