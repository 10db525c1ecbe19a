import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ReadPngCohortOptions, readPngCohort } from './png-cohort.ts';
import type { Patient } from './scan.ts';

const width = 4;
const height = 3;
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-cohort-'));
  for (const part of ['ct', 'lungs', 'covid']) await mkdir(join(folder, part));
  await writeFile(join(folder, 'slice_index.csv'), 'slice,case\n0000,p1\n0001,p1\n0002,p2\n');
  for (const slice of [0, 1, 2]) {
    await write(`ct/000${slice}.png`, (i) => 100 * slice + i);
    await write(`lungs/000${slice}.png`, (i) => (i < 8 ? 255 : 0));
    await write(`covid/000${slice}.png`, (i) => (i === slice ? 255 : 0));
  }
});

afterEach(() => rm(folder, { recursive: true }));

function write(file: string, valueAt: (i: number) => number, w: number = width): Promise<void> {
  const data = Uint8Array.from({ length: w * height }, (_, i) => valueAt(i));
  return writeFile(join(folder, file), encode({ width: w, height, data, channels: 1, depth: 8 }));
}

async function readAll(options?: ReadPngCohortOptions): Promise<Patient[]> {
  const patients: Patient[] = [];
  for await (const patient of readPngCohort(folder, options)) patients.push(patient);
  return patients;
}

test('stacks the slices of each patient and claims no unit and no geometry', async () => {
  const [first, second, ...others] = await readAll();
  expect(others).toEqual([]);
  expect(second?.scan.size).toEqual([4, 3, 1]);
  expect(first).toEqual({
    id: 'p1',
    scan: {
      voxels: Float32Array.from([
        ...Array(12).keys(),
        ...[...Array(12).keys()].map((i) => 100 + i),
      ]),
      size: [4, 3, 2],
      spacingMm: null,
      affine: null,
      intensity: 'display',
    },
    lung: {
      voxels: Uint8Array.from({ length: 24 }, (_, i) => (i % 12 < 8 ? 1 : 0)),
      size: [4, 3, 2],
    },
    lesion: {
      voxels: Uint8Array.from({ length: 24 }, (_, i) => (i === 0 || i === 13 ? 1 : 0)),
      size: [4, 3, 2],
    },
  });
});

test('gives out the patients that are asked for, in that order', async () => {
  expect((await readAll({ patients: ['p2', 'p1'] })).map((p) => p.id)).toEqual(['p2', 'p1']);
});

test('turns over the slices that are declared to be upside down, masks with them, and says so', async () => {
  const [asStored] = await readAll({ patients: ['p2'] });
  const [turned] = await readAll({ patients: ['p2'], flippedTopToBottom: ['p2'] });
  expect(asStored?.corrections).toBeUndefined();
  expect(turned?.corrections).toEqual(['flipped-top-to-bottom']);
  const rows = (voxels: Float32Array | Uint8Array = new Uint8Array()): number[][] =>
    [0, 1, 2].map((y) => [...voxels.subarray(y * width, (y + 1) * width)]);
  expect(rows(turned?.scan.voxels)).toEqual(rows(asStored?.scan.voxels).reverse());
  expect(rows(turned?.lung?.voxels)).toEqual(rows(asStored?.lung?.voxels).reverse());
  expect(rows(turned?.lesion?.voxels)).toEqual(rows(asStored?.lesion?.voxels).reverse());
});

test('stops with the reason of an aborted signal', async () => {
  const reason = new Error('enough');
  await expect(readAll({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

const broken: [what: string, code: string, file: string, breakIt: () => Promise<unknown>][] = [
  [
    'a missing folder of images',
    'MISSING_FOLDER',
    'ct',
    () => rm(join(folder, 'ct'), { recursive: true }),
  ],
  [
    'a file in place of a folder',
    'MISSING_FOLDER',
    'covid',
    async () => {
      await rm(join(folder, 'covid'), { recursive: true });
      await writeFile(join(folder, 'covid'), '');
    },
  ],
  [
    'a missing index',
    'MISSING_INDEX',
    'slice_index.csv',
    () => unlink(join(folder, 'slice_index.csv')),
  ],
  [
    'an index with unknown columns',
    'BAD_INDEX',
    'slice_index.csv',
    () => writeFile(join(folder, 'slice_index.csv'), 'slice,case,age\n0000,p1,77\n'),
  ],
  ['a missing slice', 'MISSING_SLICE', 'ct/0001.png', () => unlink(join(folder, 'ct/0001.png'))],
  [
    'a missing mask',
    'MISSING_SLICE',
    'lungs/0001.png',
    () => unlink(join(folder, 'lungs/0001.png')),
  ],
  [
    'a mask of another size',
    'MASK_SIZE',
    'covid/0001.png',
    () => write('covid/0001.png', () => 0, 5),
  ],
  ['a slice of another size', 'SLICE_SIZE', 'ct/0001.png', () => write('ct/0001.png', () => 0, 5)],
  [
    'a mask with grey values',
    'MASK_VALUE',
    'lungs/0000.png',
    () => write('lungs/0000.png', () => 128),
  ],
  [
    'an empty image',
    'TRUNCATED_IMAGE',
    'ct/0000.png',
    () => writeFile(join(folder, 'ct/0000.png'), ''),
  ],
  [
    'an image that is text',
    'IMAGE_FORMAT',
    'ct/0000.png',
    () => writeFile(join(folder, 'ct/0000.png'), 'hello'),
  ],
];

test.each(broken)('refuses %s with %s and names %s', async (_, code, file, breakIt) => {
  await breakIt();
  await expect(readAll()).rejects.toMatchObject({
    name: 'ImagingError',
    code,
    message: expect.stringContaining(join(folder, file)),
  });
});

test('refuses a folder that is not there, and a patient the index does not name', async () => {
  await expect(readPngCohort(join(folder, 'nowhere')).next()).rejects.toMatchObject({
    code: 'MISSING_FOLDER',
  });
  await expect(readAll({ patients: ['p3'] })).rejects.toMatchObject({ code: 'UNKNOWN_PATIENT' });
  await expect(readAll({ flippedTopToBottom: ['p3'] })).rejects.toMatchObject({
    code: 'UNKNOWN_PATIENT',
  });
});

const shared = process.env['CONSILIUM_SHARED'] ?? join(import.meta.dirname, '../../../../shared');
const real = join(shared, 'data/covid19-ct-seg-20-png');

test.skipIf(!existsSync(real))(
  'reads real patients: lesions lie in lungs, mostly, on every slice',
  async () => {
    const ids = ['radiopaedia_7_85703_0', 'radiopaedia_29_86490_1'];
    const depths: number[] = [];
    for await (const { scan, lung, lesion } of readPngCohort(real, { patients: ids })) {
      const [w, h, depth] = scan.size;
      depths.push(depth);
      expect([w, h]).toEqual([256, 256]);
      let inside = 0;
      let all = 0;
      for (let z = 0; z < depth; z++) {
        let here = 0;
        for (let at = z * w * h; at < (z + 1) * w * h; at++) {
          here += lesion?.voxels[at] ?? 0;
          inside += (lesion?.voxels[at] ?? 0) & (lung?.voxels[at] ?? 0);
        }
        expect(here).toBeGreaterThan(0);
        all += here;
      }
      expect(inside / all).toBeGreaterThan(0.85);
    }
    expect(depths).toEqual([27, 3]);
  },
);
