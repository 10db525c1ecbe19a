// What reading with 8-bit convolutions costs in quality and gives in time: the pre-trained default network on generated patients of an external scanner,
// exact and in whole numbers, in turns. Ranges come from other generated patients.
//   npm run bench:int8 -- [--patients 24] [--seed 1]
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createOnnxEngine } from '@consilium/compute';
import { generatePatient } from '@consilium/imaging/phantom';
import {
  calibrationInputs,
  createLesionModel,
  decodePretrained,
  defaultTask,
  evaluatePatient,
  type PatientMetrics,
  predict,
  pretrainedFile,
} from '@consilium/model';
import { middle } from './bench-compute/middle.ts';
import { provenance } from './bench-compute/provenance.ts';

/** Dice points are hundredths: 0.2 of them. */
const bar = 0.002;
const { values: options } = parseArgs({
  options: {
    patients: { type: 'string', default: '24' },
    seed: { type: 'string', default: '1' },
  },
});
const [patients, seed] = [Number(options.patients), Number(options.seed)];

const file = pretrainedFile(defaultTask.network);
if (file === null) throw new Error('the default network has no weights');
const weights = decodePretrained(defaultTask.network, await readFile(file));
const engine = createOnnxEngine();
const models = {
  float32: createLesionModel(engine, defaultTask),
  int8: createLesionModel(engine, defaultTask, { int8: calibrationInputs(defaultTask) }),
};
type Precision = keyof typeof models;
const precisions = Object.keys(models) as Precision[];
const metrics: Record<Precision, PatientMetrics[]> = { float32: [], int8: [] };
const cpuMs: Record<Precision, number[]> = { float32: [], int8: [] };
for (let i = 0; i < patients; i++) {
  const patient = generatePatient({
    seed: 1000 * seed + i,
    profile: 'external',
    condition: { kind: 'covid', day: 4 + ((5 * i) % 18) },
    size: [128, 128, 24],
  });
  for (const precision of i % 2 === 0 ? precisions : [...precisions].reverse()) {
    const start = process.cpuUsage();
    const prediction = await predict(models[precision], weights, patient.scan);
    const { user, system } = process.cpuUsage(start);
    cpuMs[precision].push((user + system) / 1000);
    metrics[precision].push(evaluatePatient(patient, prediction).metrics);
  }
  if ((i + 1) % 6 === 0) console.error(`${i + 1}/${patients}`);
}
await engine.close();

const figures = (['dice', 'diceInLung', 'lungDice'] as const).map((name) => {
  const [exact, whole] = precisions.map((precision) =>
    metrics[precision].map((each) => each[name]),
  ) as [(number | null)[], (number | null)[]];
  const differences = whole
    .map((value, i) => (value ?? Number.NaN) - (exact[i] ?? Number.NaN))
    .filter((value) => !Number.isNaN(value));
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  return {
    metric: name,
    n: differences.length,
    'mean difference': mean.toFixed(5),
    'largest of a patient': Math.max(...differences.map(Math.abs)).toFixed(5),
    holds: Math.abs(mean) <= bar ? 'yes' : 'no',
  };
});
console.table(figures);
const ratio = middle(cpuMs.int8.map((ms, i) => ms / (cpuMs.float32[i] ?? Number.NaN)));
console.log(
  `int8 − float32, bar for the mean ±${bar}; time ${ratio.toFixed(2)} of float32's, whole prediction, processor time`,
);
await mkdir('results', { recursive: true });
const result = { ...provenance(), seed, patients, figures, ratio };
await writeFile('results/int8.json', `${JSON.stringify(result, null, 2)}\n`);
if (figures.some(({ holds }) => holds === 'no')) process.exitCode = 1;
