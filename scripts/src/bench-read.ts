// How fast a whole scan is read: the reference U-Net in the onnx-cpu engine and in PyTorch (where Debian's python3-torch is installed), in turns, each in the
// batch and layout that is its fastest here; then the whole way of a scan from encoded slices to probabilities, through the network that reads real scans.
//   node scripts/src/bench-read.ts [--slices 300] [--size 256] [--threads 1] [--chunk 12] [--ways 3] [--seed 1]
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  type Contestant,
  type Form,
  type ReadTime,
  startContestant,
} from './bench-read/contestant.ts';
import { createWholeWay, type WayTime } from './bench-read/whole-way.ts';

const timeBar = 0.9;
const memoryBar = 1.2;
const network = { widths: [16, 32, 64, 128], groups: 8 };
const parameters = 487_713;

const { values: options } = parseArgs({
  options: {
    slices: { type: 'string', default: '300' },
    size: { type: 'string', default: '256' },
    threads: { type: 'string', default: '1' },
    chunk: { type: 'string', default: '12' },
    ways: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
  },
});
const [slices, size, threads] = [options.slices, options.size, options.threads].map(Number) as [
  number,
  number,
  number,
];
const [chunk, ways, seed] = [options.chunk, options.ways, options.seed].map(Number) as [
  number,
  number,
  number,
];

const contestants = await startAll();
const forms = new Map<Contestant, Form>();
for (const contestant of contestants) forms.set(contestant, await fastestForm(contestant));
const chunks = await race();
const results = contestants.map((contestant) => resultOf(contestant));
for (const contestant of contestants) await contestant.close();
console.table(results.map(({ chunks: _, ...shown }) => shown));

const wholeWay = await timeWholeWay();
console.table([wholeWay]);
await report();

async function startAll(): Promise<Contestant[]> {
  const initOf = (int8: boolean): string =>
    JSON.stringify({ ...network, size, slices, threads, seed, int8 });
  const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const ours = async (int8: boolean): Promise<Contestant | undefined> =>
    startContestant(process.execPath, [
      ...process.execArgv,
      path('bench-read-onnx.ts'),
      initOf(int8),
    ]);
  const python = '/usr/bin/python3';
  const torch = existsSync(python)
    ? await startContestant(python, [path('bench-read-torch.py'), initOf(false)], {
        OMP_NUM_THREADS: String(threads),
      })
    : undefined;
  const started = [await ours(false), torch, await ours(true)].filter((each) => each !== undefined);
  for (const each of started) {
    if (each.parameters !== parameters) {
      throw new Error(`${each.name}'s network has ${each.parameters} parameters`);
    }
  }
  return started;
}

/**
 * PyTorch in the batch and layout in which a few slices take least processor time, the best of three tries of each, in turns: an allocator is faster when it has
 * seen all of them. We read slice by slice, which keeps the images in a core's cache and is the way of least memory.
 */
async function fastestForm(contestant: Contestant): Promise<Form> {
  if (!contestant.name.startsWith('PyTorch')) return { batch: 1, channelsLast: false };
  const forms = [true, false].flatMap((channelsLast) =>
    [1, 2, 4].map((batch) => ({ batch, channelsLast })),
  );
  let fastest: { form: Form; cpu: number } = { form: forms[0] as Form, cpu: Infinity };
  for (let round = 0; round < 4; round++) {
    for (const form of forms) {
      const { cpu } = await contestant.read(4, form);
      if (round > 0 && cpu < fastest.cpu) fastest = { form, cpu };
    }
  }
  return fastest.form;
}

/** Every contestant reads the scan once, a few slices at a time in turns, so that all meet the same machine. */
async function race(): Promise<Map<Contestant, ReadTime[]>> {
  const times = new Map<Contestant, ReadTime[]>(contestants.map((each) => [each, []]));
  for (const [contestant, form] of forms) await contestant.read(form.batch, form);
  for (let done = 0; done < slices; done += chunk) {
    for (const [contestant, form] of forms) {
      times.get(contestant)?.push(await contestant.read(chunk, form));
    }
    if (done % (5 * chunk) === 0)
      console.error(`${Math.min(done + chunk, slices)}/${slices} slices`);
  }
  return times;
}

interface Result {
  readonly network: string;
  readonly batch: number;
  readonly layout: string;
  readonly 'median ms/slice': number;
  readonly 'median CPU ms/slice': number;
  readonly 'scan s': number;
  readonly 'peak MB': number | null;
  readonly chunks: readonly ReadTime[];
}

function resultOf(contestant: Contestant): Result {
  const times = chunks.get(contestant) ?? [];
  const form = forms.get(contestant);
  const peak = contestant.peakMb();
  return {
    network: contestant.name,
    batch: form?.batch ?? 0,
    layout: form?.channelsLast ? 'channels last' : 'channels first',
    'median ms/slice': round(median(times.map(({ wall }) => wall)) / chunk, 2),
    'median CPU ms/slice': round(median(times.map(({ cpu }) => cpu)) / chunk, 2),
    'scan s': round(times.reduce((sum, { wall }) => sum + wall, 0) / 1000, 2),
    'peak MB': peak === null ? null : round(peak, 0),
    chunks: times,
  };
}

async function timeWholeWay(): Promise<Record<keyof WayTime | 'slices/s', number>> {
  const way = await createWholeWay(size, slices, threads, seed);
  await way.run(); // warm up
  const times: WayTime[] = [];
  for (let i = 0; i < ways; i++) {
    times.push(await way.run());
    console.error(`whole way ${i + 1}/${ways}`);
  }
  await way.close();
  const of = (part: keyof WayTime): number => round(median(times.map((time) => time[part])), 0);
  return {
    whole: of('whole'),
    cpu: of('cpu'),
    decode: of('decode'),
    prepare: of('prepare'),
    network: of('network'),
    'slices/s': round((1000 * slices) / of('whole'), 1),
  };
}

async function report(): Promise<void> {
  const other = results.find((each) => each.network.startsWith('PyTorch'));
  const [own] = results;
  const eight = results.find((each) => each.network.endsWith('int8'));
  const ratios = own && other ? ratiosOf(own, other) : null;
  const ratiosInt8 = eight && other ? ratiosOf(eight, other) : null;
  const result = {
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load: loadavg()[0] ?? 0 },
    commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
    seed,
    network: { ...network, size, parameters },
    slices,
    threads,
    results,
    ratios,
    ratiosInt8,
    bars: { time: timeBar, memory: memoryBar },
    wholeWayMs: wholeWay,
  };
  await mkdir('results', { recursive: true });
  await writeFile('results/read.json', `${JSON.stringify(result, null, 2)}\n`);
  if (ratios === null) {
    console.log('ratios: none, PyTorch is missing here (apt install python3-torch)');
    return;
  }
  for (const [name, each] of [['float32', ratios] as const, ['int8', ratiosInt8] as const]) {
    if (each === null) continue;
    console.log(
      `${name} against PyTorch’s float32: time ${each.scan} a scan, ${each.slice} a slice, ${each.sliceCpu} by processor time (bar: at most ${timeBar}); memory ${each.memory} (bar: at most ${memoryBar})`,
    );
  }
  const [load = 0] = loadavg();
  if (load > cpus().length)
    console.log(`this machine is busy (load ${load.toFixed(1)}): repeat it on an idle one`);
  if (ratios.scan > timeBar || ratios.memory > memoryBar) process.exitCode = 1;
}

interface Ratios {
  readonly slice: number;
  readonly sliceCpu: number;
  readonly scan: number;
  readonly memory: number;
}

function ratiosOf(own: Result, other: Result): Ratios {
  const ratio = (
    figure: 'median ms/slice' | 'median CPU ms/slice' | 'scan s' | 'peak MB',
  ): number => round((own[figure] ?? Number.NaN) / (other[figure] ?? Number.NaN), 3);
  return {
    slice: ratio('median ms/slice'),
    sliceCpu: ratio('median CPU ms/slice'),
    scan: ratio('scan s'),
    memory: ratio('peak MB'),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
