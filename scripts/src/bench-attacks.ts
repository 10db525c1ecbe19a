// What attacks get out of what a private study releases: lower bounds on ε from audits in one run, of the mechanism and of mistakes
// planted around it; images rebuilt from gradients; membership told from a trained model. The tests run the same with fewer seeds.
//   node scripts/src/bench-attacks.ts [--seeds 100]
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import {
  aThirdOfTheNoise,
  attackClipped,
  attackGradient,
  attackReleases,
  attackWithoutPrivacy,
  attackWithPrivacy,
  auditSeeds,
  claimOf,
  correct,
  everybodyInEveryStep,
  fullBatchRun,
  plantedBugs,
  sampledRun,
} from '@consilium/test/privacy-attacks';

const { values: options } = parseArgs({ options: { seeds: { type: 'string', default: '100' } } });
const seeds = Number(options.seeds);
const attackSeeds = Array.from({ length: Math.min(10, seeds) }, (_, i) => i + 1);

const audited = [
  ...Object.entries({ correct, ...plantedBugs, 'noise / 3': aThirdOfTheNoise }).map(
    ([name, implementation]) => ({ name, implementation, run: fullBatchRun }),
  ),
  ...Object.entries({ correct, 'everybody in every step': everybodyInEveryStep }).map(
    ([name, implementation]) => ({ name, implementation, run: sampledRun }),
  ),
];
const audits = [];
for (const { name, implementation, run } of audited) {
  const claim = claimOf(run);
  const bounds = await auditSeeds(implementation, run, seeds);
  const isExact = run.spec.sampleRate === 1;
  const figures = {
    name,
    sampleRate: run.spec.sampleRate,
    claim,
    epsilonDelta: summary(
      bounds.map(({ epsilonDelta }) => epsilonDelta),
      claim,
    ),
    tradeOff: isExact
      ? summary(
          bounds.map(({ tradeOff }) => tradeOff),
          claim,
        )
      : null,
  };
  audits.push(figures);
  console.error(`audited ${audits.length}/${audited.length}: ${name}`);
}
console.log(
  `lower bounds on ε with 95 % confidence, ${seeds} runs each: median (least…most), runs above the claim`,
);
console.table(
  audits.map(({ name, sampleRate, claim, epsilonDelta, tradeOff }) => ({
    implementation: name,
    q: sampleRate,
    claim: round3(claim),
    'by (ε, δ)': asText(epsilonDelta),
    'by trade-off': tradeOff === null ? '' : asText(tradeOff),
  })),
);

const inversions = [];
for (const seed of attackSeeds) {
  inversions.push({
    seed,
    gradient: attackGradient(seed),
    clipped: await attackClipped(seed),
    ...(await attackReleases(seed)),
  });
  console.error(`inverted ${inversions.length}/${attackSeeds.length}`);
}
console.log('correlation of a rebuilt image with the true one, the better of two attacks');
console.table(
  inversions.map(({ seed, gradient, clipped, oneStep, allSteps }) => ({
    image: seed,
    gradient: round3(best(gradient)),
    'only clipped': round3(best(clipped)),
    'best of 100 steps': round3(best(oneStep)),
    'mean of 100 steps': round3(best(allSteps)),
  })),
);

const memberships = [];
for (const seed of attackSeeds) {
  memberships.push({
    seed,
    off: await attackWithoutPrivacy(seed),
    on: await attackWithPrivacy(seed),
  });
}
console.log('area under the ROC curve of membership inference, 95 % bootstrap interval');
console.table(
  memberships.map(({ seed, off, on }) => ({
    seed,
    'loss, off': interval(off.loss),
    'updates, off': interval(off.updates),
    'loss, ε 2.4': interval(on.loss),
    'updates, ε 2.4': interval(on.updates),
  })),
);

const result = {
  machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length },
  commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
  seeds,
  audits,
  inversions,
  memberships,
};
await mkdir('results', { recursive: true });
await writeFile('results/attacks.json', `${JSON.stringify(result, null, 2)}\n`);

interface Summary {
  readonly least: number;
  readonly median: number;
  readonly most: number;
  readonly aboveClaim: number;
  readonly runs: number;
}

function summary(bounds: readonly number[], claim: number): Summary {
  const sorted = [...bounds].sort((a, b) => a - b);
  return {
    least: sorted[0] ?? Number.NaN,
    median: sorted[sorted.length >> 1] ?? Number.NaN,
    most: sorted.at(-1) ?? Number.NaN,
    aboveClaim: sorted.filter((bound) => bound > claim).length,
    runs: sorted.length,
  };
}

function asText({ least, median, most, aboveClaim, runs }: Summary): string {
  return `${median.toFixed(2)} (${least.toFixed(2)}…${most.toFixed(2)}), ${aboveClaim}/${runs}`;
}

function best({
  strongestUnit,
  toldBiases,
}: {
  strongestUnit: number;
  toldBiases: number;
}): number {
  return Math.max(strongestUnit, toldBiases);
}

function interval({ area, low, high }: { area: number; low: number; high: number }): string {
  return `${area.toFixed(2)} (${low.toFixed(2)}…${high.toFixed(2)})`;
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}
