// What gradients by example cost: the gradients of 16 patients by the reference U-Net, several patients at a run, against a run for each patient (the
// microbatch loop); in turns, for small and large patients, and for all weights or the group norms alone.
//   npm run bench:per-example -- [--rounds 7] [--seed 1] [--threads 1]
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import {
  createOnnxEngine,
  differentiate,
  type Engine,
  gradientLayoutOf,
  layoutOf,
} from '@consilium/compute';
import { seeded } from '@consilium/model';
import { middle } from './bench-compute/middle.ts';
import { provenance } from './bench-compute/provenance.ts';
import { referenceUNet } from './reference-unet.ts';

const network = { widths: [16, 32, 64, 128], groups: 8, over: 'sample' as const };
const patients = 16;
const cases = [
  { size: 16, slices: 1, trained: 'norms' },
  { size: 32, slices: 1, trained: 'norms' },
  { size: 32, slices: 1, trained: 'all' },
  { size: 64, slices: 1, trained: 'all' },
  { size: 64, slices: 4, trained: 'all' },
  { size: 128, slices: 4, trained: 'all' },
] as const;
type Case = (typeof cases)[number];

interface Contestant {
  readonly together: number;
  run(): Promise<void>;
  readonly cpuMs: number[];
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: '1' },
  },
});
const [rounds, seed, threads] = [options.rounds, options.seed, options.threads].map(Number) as [
  number,
  number,
  number,
];
const figures: Record<string, string | number>[] = [];
for (const each of cases) {
  const engine = createOnnxEngine({ threads });
  const contestants = await prepare(engine, each);
  for (const { run } of contestants) await run(); // warm up
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) await timed(contestant);
  }
  await engine.close();
  const [loop] = contestants;
  const row: Record<string, string | number> = {
    patient: `${each.slices} × ${each.size}²`,
    trained: each.trained,
    'loop, CPU ms': Math.round(middle(loop?.cpuMs ?? [])),
  };
  for (const { together, cpuMs } of contestants.slice(1)) {
    const ratios = cpuMs.map((ms, round) => ms / (loop?.cpuMs[round] ?? Number.NaN));
    row[`${together} at a run`] = Math.round(middle(ratios) * 100) / 100;
  }
  figures.push(row);
  console.error(`${figures.length}/${cases.length}: ${JSON.stringify(row)}`);
}
console.table(figures);
console.log(
  'each figure: processor time over that of the loop, median of rounds; below 1 is faster',
);
await mkdir('results', { recursive: true });
const result = { ...provenance(), seed, threads, patients, network, rounds, figures };
await writeFile('results/per-example.json', `${JSON.stringify(result, null, 2)}\n`);

async function prepare(engine: Engine, { size, slices, trained }: Case): Promise<Contestant[]> {
  const layout = layoutOf(referenceUNet({ ...network, batch: 1, size }));
  const names = layout.tensors
    .map(({ name }) => name)
    .filter((name) => trained === 'all' || /(?:scale|shift)$/.test(name));
  const random = seeded('per example', seed);
  const weights = Float32Array.from({ length: layout.length }, () => random.between(-0.1, 0.1));
  const pixels = slices * size ** 2;
  const image = Float32Array.from({ length: patients * pixels }, random.uniform);
  const target = image.map((value) => (value > 0.7 ? 1 : 0));
  const contestants: Contestant[] = [];
  for (const together of [1, 4, 16]) {
    const graph = referenceUNet({ ...network, batch: together * slices, size });
    const perExample = together === 1 ? {} : { perExample: { examples: together } };
    const differentiated = differentiate(graph, 'loss', { trained: names, ...perExample });
    const program = await engine.compile(differentiated);
    const wanted = together * gradientLayoutOf(differentiated).length;
    contestants.push({
      together,
      cpuMs: [],
      async run() {
        for (let patient = 0; patient < patients; patient += together) {
          const part = [patient * pixels, (patient + together) * pixels] as const;
          const inputs = { image: image.subarray(...part), target: target.subarray(...part) };
          const { gradient } = await program.run(inputs, weights);
          if (gradient?.length !== wanted) throw new Error(`wanted ${wanted} gradients`);
        }
      },
    });
  }
  return contestants;
}

async function timed({ run, cpuMs }: Contestant): Promise<void> {
  const start = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(start);
  cpuMs.push((user + system) / 1000);
}
