import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodePng } from '@consilium/imaging';
import { generatePatient } from '@consilium/imaging/phantom';
import { type LesionTask, smallTask } from '@consilium/model';
import { stringify } from 'yaml';
import { succeed } from './command-line.ts';

/** Side of the slices, and slices a patient. */
export const slicePixels = 32;
const slicesEach = 4;

/** A task whose rounds take a moment: some hundred parameters, two steps a round. */
const tinyTask: LesionTask = {
  ...smallTask,
  network: { size: slicePixels, cropSize: 16, slices: 1, channels: [4, 8], groupChannels: 4 },
  training: { ...smallTask.training, stepsPerRound: 2, batch: 2 },
};

/** Writes generated patients as a folder of PNG slices with masks: `names`, each ill. */
async function writeCohort(folder: string, names: readonly string[], seed: number): Promise<void> {
  for (const part of ['ct', 'lungs', 'covid']) await mkdir(join(folder, part), { recursive: true });
  const rows = ['slice,case'];
  for (const [index, name] of names.entries()) {
    const { scan, lung, lesion } = generatePatient({
      seed: seed + index,
      profile: 'hospital-a',
      condition: { kind: 'covid', day: 8, confounders: [] },
      size: [slicePixels, slicePixels, slicesEach],
    });
    const plane = slicePixels * slicePixels;
    for (let z = 0; z < slicesEach; z++) {
      const slice = `${name}-${z}`;
      rows.push(`${slice},${name}`);
      const part = (values: Float32Array | Uint8Array): number[] => [
        ...values.subarray(z * plane, (z + 1) * plane),
      ];
      const grey = part(scan.voxels).map((hu) => Math.max(0, Math.min(255, (hu + 1350) * 0.15)));
      const full = (values: Uint8Array | undefined): number[] =>
        part(values ?? new Uint8Array(plane * slicesEach)).map((value) => 255 * value);
      await writePng(join(folder, 'ct', `${slice}.png`), slicePixels, grey);
      await writePng(join(folder, 'lungs', `${slice}.png`), slicePixels, full(lung?.voxels));
      await writePng(join(folder, 'covid', `${slice}.png`), slicePixels, full(lesion?.voxels));
    }
  }
  await writeFile(join(folder, 'slice_index.csv'), `${rows.join('\n')}\n`);
}

/** Writes a square 8-bit grey picture. */
export function writePng(path: string, side: number, grey: readonly number[]): Promise<void> {
  return writeFile(
    path,
    encodePng({ width: side, height: side, channels: 1, pixels: Uint8Array.from(grey) }),
  );
}

/** One member of a study to found; its cohort lies in `data` of its folder, if it has patients. */
export interface MemberPlan {
  readonly name: string;
  readonly role: 'trainer' | 'validator' | 'observer';
  /** Patients `train-0`… and `test-0`… in its cohort. */
  readonly train: number;
  /** What the roster says of them. @default five times as many, so that weights differ */
  readonly declared?: number;
  readonly test: number;
  /** TCP port on the loopback; 0 takes any, and then nobody can dial it. */
  readonly port: number;
}

export interface StudyOptions {
  readonly rounds: {
    readonly count: number;
    readonly quorum: number;
    readonly deadlineSeconds: number;
  };
  readonly everyRounds?: number;
  /** More of the founder's plan, such as its privacy. */
  readonly plan?: Readonly<Record<string, unknown>>;
  /** What patients are called: this, with their number. @default 'train-' and 'test-' */
  readonly patientPrefix?: string;
  /** More of every site's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * Founds a study below `root` with the commands that people type: `init` everywhere, `study create` at the first, `study join` at the others. Returns
 * the sites' folders, in order, and the founding file's path.
 */
export async function foundStudy(
  root: string,
  plans: readonly MemberPlan[],
  options: StudyOptions,
): Promise<{ folders: string[]; founding: string }> {
  const { rounds, everyRounds = 0, patientPrefix = '' } = options;
  const folders = plans.map(({ name }) => join(root, name));
  const roster = await Promise.all(
    plans.map(async ({ name, role, train, test, port, declared }, i) => {
      const folder = folders[i] as string;
      await succeed('init', '--name', name, '--folder', folder);
      const { id } = JSON.parse(
        await succeed('identity', 'show', '--json', '--folder', folder),
      ) as { id: string };
      const names = [
        ...Array.from({ length: train }, (_, n) => `${patientPrefix}train-${n}`),
        ...Array.from({ length: test }, (_, n) => `${patientPrefix}test-${n}`),
      ];
      if (names.length > 0) await writeCohort(join(folder, 'data'), names, 100 * i);
      const cohort = (count: number, first: number): object | null =>
        count === 0
          ? null
          : { kind: 'png', folder: 'data', patients: names.slice(first, first + count) };
      const config = {
        name,
        network: { listen: [`/ip4/127.0.0.1/tcp/${port}`], syncSeconds: 2 },
        data: { train: cohort(train, 0), test: cohort(test, train) },
        evaluation: { everyRounds },
        ...options.config,
      };
      await writeFile(join(folder, 'consilium.yaml'), stringify(config));
      const addresses = port === 0 ? [] : [`/ip4/127.0.0.1/tcp/${port}`];
      const patients = role === 'trainer' ? (declared ?? 5 * train) : 0;
      return { name, site: id, role, patients, addresses };
    }),
  );
  const plan = join(root, 'plan.yaml');
  const founding = join(root, 'study.cbor');
  const founded = { name: 'tiny study', task: tinyTask, seed: 3, rounds, roster, ...options.plan };
  await writeFile(plan, stringify(founded));
  const [founder, ...others] = folders as [string, ...string[]];
  await succeed('study', 'create', '--plan', plan, '--out', founding, '--folder', founder);
  for (const folder of others) await succeed('study', 'join', founding, '--folder', folder);
  return { folders, founding };
}
