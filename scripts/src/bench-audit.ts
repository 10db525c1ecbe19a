// How fast an audit is: a bundle of 100 rounds x 8 sites x 1 M parameters, verified, against hashing and adding up the same payloads alone; how the time grows
// with rounds and sites; and how much memory it takes when the bundle is four times as large.
//   npm run bench:audit -- [--rounds 100] [--sites 8] [--parameters 1000000] [--repeat 3]
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RunningMean } from '@consilium/averaging';
import {
  type AuditReport,
  Bundle,
  bundleBytes,
  openBundleFile,
  outlineBundle,
  verifyBundle,
} from '@consilium/study/audit';
import { decodePayload, toGrid } from '@consilium/weights';
import { LargeStudy, type StudySize } from './audit/large-study.ts';

const bar = 0.6;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    sites: { type: 'string', default: '8' },
    parameters: { type: 'string', default: '1000000' },
    repeat: { type: 'string', default: '3' },
    /** For this program's own children: verifies a file, and prints what it took. */
    verify: { type: 'string' },
  },
});

interface Took {
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakMiB: number;
}

if (options.verify === undefined) await main();
else console.log(JSON.stringify(await timed(() => verified(options.verify as string))));

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-audit-'));
  try {
    await bench(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function bench(folder: string): Promise<void> {
  const size = {
    rounds: Number(options.rounds),
    sites: Number(options.sites),
    parameters: Number(options.parameters),
  };
  const whole = await written(folder, size);
  const runs: { verify: Took; alone: Took }[] = [];
  for (let i = 0; i < Number(options.repeat); i++) {
    const alone = await timed(() => hashedAndAdded(whole.file, whole.study));
    const verify = await timed(() => verified(whole.file));
    runs.push({ verify, alone });
    console.error(
      `run ${i + 1}: verify ${verify.wallS.toFixed(1)} s, alone ${alone.wallS.toFixed(1)} s`,
    );
  }
  const verify = median(runs.map((run) => run.verify));
  const alone = median(runs.map((run) => run.alone));
  const gigabytes = whole.bytes / 1e9;
  const speeds = [
    { what: 'verify', ...verify, 'GB/s': gigabytes / verify.wallS },
    { what: 'hash and add alone', ...alone, 'GB/s': gigabytes / alone.wallS },
  ];
  console.table(speeds.map(rounded));
  const share = { wall: alone.wallS / verify.wallS, cpu: alone.cpuS / verify.cpuS };

  const memory = [];
  for (const times of [1, 4]) {
    const part = { ...size, rounds: Math.max(1, Math.round((size.rounds * times) / 4)) };
    const { file, bytes } = times === 4 ? whole : await written(folder, part);
    memory.push({ rounds: part.rounds, 'bundle MiB': bytes / 2 ** 20, ...inChild(file) });
  }
  console.table(memory.map(rounded));

  const growth = [];
  const small = {
    rounds: size.rounds / 4,
    sites: size.sites / 2,
    parameters: size.parameters / 10,
  };
  for (const [rounds, sites] of [
    [1, 1],
    [2, 1],
    [4, 1],
    [1, 2],
    [1, 4],
  ] as const) {
    const grown = { ...small, rounds: small.rounds * rounds, sites: small.sites * sites };
    const { file, bytes } = await written(folder, grown);
    growth.push({ ...grown, 'bundle MiB': bytes / 2 ** 20, ...inChild(file) });
    await rm(file);
  }
  console.table(growth.map(rounded));

  const result = {
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load: loadavg()[0] ?? 0 },
    node: process.version,
    commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
    seed: 'names of sites and rounds',
    size,
    bytes: whole.bytes,
    runs,
    share,
    memory,
    growth,
  };
  await mkdir('results', { recursive: true });
  await writeFile('results/audit.json', `${JSON.stringify(result, null, 2)}\n`);
  console.log(
    `verify has ${(100 * share.wall).toFixed(0)} % of the throughput of hashing and adding alone, ${(100 * share.cpu).toFixed(0)} % by processor time (bar: at least ${100 * bar} %)`,
  );
  if (share.wall < bar) {
    const [load = 0] = loadavg();
    if (load > cpus().length)
      console.log(`this machine is busy (load ${load.toFixed(1)}): repeat it on an idle one`);
    process.exitCode = 1;
  }
}

async function written(
  folder: string,
  size: StudySize,
): Promise<{ file: string; bytes: number; study: LargeStudy }> {
  const { rounds, sites, parameters } = size;
  const study = new LargeStudy(size, (round) => {
    if (round % 10 === 0) console.error(`making ${rounds} rounds of ${sites} sites: ${round}`);
  });
  const planned = await (await outlineBundle(study.parts, { payloads: true })).plan();
  const file = join(folder, `${rounds}-${sites}-${parameters}.tar`);
  await using handle = await open(file, 'w');
  for await (const piece of bundleBytes(planned)) await handle.write(piece);
  return { file, bytes: planned.bytes, study };
}

async function verified(file: string): Promise<AuditReport> {
  await using bytes = await openBundleFile(file);
  const report = await verifyBundle(bytes);
  if (!report.isSound) throw new Error(JSON.stringify(report.verdicts, null, 2));
  return report;
}

/** What no audit can do without: every payload read, hashed, decoded and added to its round's sum. */
async function hashedAndAdded(file: string, { layout }: LargeStudy): Promise<void> {
  await using bytes = await openBundleFile(file);
  const bundle = await Bundle.open(bytes);
  let mean = new RunningMean(layout.length);
  const payloads = bundle.filesIn('payloads');
  for (const [i, { name }] of payloads.entries()) {
    if (i % Number(options.sites) === 0) mean = new RunningMean(layout.length);
    mean.add({ weight: 20, update: toGrid(decodePayload(layout, await bundle.read(name)), -20) });
  }
}

function inChild(file: string): Took {
  const args = [...process.execArgv, import.meta.filename, '--verify', file];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

async function timed(work: () => Promise<unknown>): Promise<Took> {
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const wallS = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const { maxRSS } = process.resourceUsage();
  return { wallS, cpuS: (user + system) / 1e6, peakMiB: maxRSS / 1024 };
}

function median(runs: readonly Took[]): Took {
  const sorted = [...runs].sort((a, b) => a.wallS - b.wallS);
  return sorted[sorted.length >> 1] as Took;
}

function rounded(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [
      key,
      typeof value === 'number' ? Math.round(value * 100) / 100 : value,
    ]),
  );
}
