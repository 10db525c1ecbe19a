/**
 * Draws generated patients into results/phantom/, for a radiologist to look at:
 *
 *     npm exec -- node --conditions=@consilium/source scripts/src/render-phantom.ts [seed]
 *
 * One picture a scanner, with six slices feet to head, in the lung window with the truth's outlines
 * (lung blue, lesion red), and in the mediastinal window; and one of a control with confounders.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  encodePng,
  montage,
  type Overlay,
  type Patient,
  renderSlice,
  type Tile,
  type Window,
  windows,
} from '@consilium/imaging';
import {
  type Condition,
  generatePatient,
  type ScannerName,
  scannerProfiles,
} from '@consilium/imaging/phantom';

const folder = join(import.meta.dirname, '../../results/phantom');
const columns = 3;
const rows = 2;

async function main(seed: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const days: Readonly<Record<ScannerName, number>> = {
    'hospital-a': 10,
    'hospital-b': 6,
    'hospital-c': 14,
    external: 4,
  };
  for (const profile of Object.keys(scannerProfiles) as ScannerName[]) {
    await draw(
      profile,
      seed,
      { kind: 'covid', day: days[profile] },
      `${profile}-day-${days[profile]}`,
    );
  }
  const confounders = ['atelectasis', 'granuloma', 'effusion', 'emphysema'] as const;
  await draw('hospital-a', seed + 1, { kind: 'control', confounders }, 'control-with-confounders');
}

async function draw(
  profile: ScannerName,
  seed: number,
  condition: Condition,
  name: string,
): Promise<void> {
  const began = performance.now();
  const patient = generatePatient({ seed, profile, condition });
  const elapsed = Math.round(performance.now() - began);
  const truth: Overlay[] = [];
  if (patient.lung !== null) truth.push({ mask: patient.lung, colour: [40, 130, 255] });
  if (patient.lesion !== null) truth.push({ mask: patient.lesion, colour: [255, 70, 40] });
  await write(`${name}-lung.png`, tiles(patient, windows.lung, []));
  await write(`${name}-truth.png`, tiles(patient, windows.lung, truth));
  await write(`${name}-mediastinum.png`, tiles(patient, windows.mediastinum, []));
  console.log(`${name}: ${patient.scan.size.join('×')} in ${elapsed} ms`);
}

function tiles({ id, scan }: Patient, window: Window, overlays: readonly Overlay[]): Tile[] {
  const depth = scan.size[2];
  const headFirst = (scan.affine?.[10] ?? 1) < 0;
  return Array.from({ length: columns * rows }, (_, i) => {
    const up = Math.round((0.2 + (0.7 * i) / (columns * rows - 1)) * (depth - 1));
    const z = headFirst ? depth - 1 - up : up;
    return { picture: renderSlice(scan, z, window, overlays), label: `${id} z=${z}` };
  });
}

async function write(name: string, pictures: readonly Tile[]): Promise<void> {
  await writeFile(join(folder, name), encodePng(montage(pictures, columns)));
}

await main(Number(process.argv[2] ?? 1));
