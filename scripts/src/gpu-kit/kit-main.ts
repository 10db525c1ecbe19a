import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkCorrectness } from './check-correctness.ts';
import { compareTorch } from './compare-torch.ts';
import { type EngineAttempt, findEngines } from './find-engines.ts';
import { isKitEngine, type KitEngine, kitEngines } from './kit-engine.ts';
import { fullPlan, quickPlan } from './kit-plan.ts';
import { measureSpeed, type Speed } from './measure-speed.ts';
import { reportProfile } from './profile-report.ts';
import { createReport, type Report } from './report.ts';
import { type Survey, survey } from './survey.ts';
import { textTable } from './text-table.ts';
import { findVulkan, type VulkanParts, vulkanPlans } from './vulkan-driver.ts';

const usage = `usage: ./run.sh [--engine ${kitEngines.join('|')}] [--allow-software] [--quick] [--out DIR]
                [--only correctness,speed,profile,torch] [--threads N] [--python PATH]

  --engine          what to check; without it the first of these that works here
  --allow-software  take a Vulkan device that is a program on the processor
  --quick           smallest sizes: shows that everything runs, its times say nothing
  --out             where results.json and results.txt go (default: results, in the kit's folder)
  --only            only these parts
  --threads         of onnx-cpu (default: all that this process may use)
  --python          the interpreter that has PyTorch (default: python3, then /usr/bin/python3)

exit code: 0 correctness held (or was not asked for), 1 it did not, 2 it could not be checked`;

const parts = ['correctness', 'speed', 'profile', 'torch'] as const;

interface Options {
  readonly engine: KitEngine | undefined;
  readonly allowSoftware: boolean;
  readonly quick: boolean;
  readonly out: string;
  readonly only: ReadonlySet<string>;
  readonly threads: number;
  readonly pythons: readonly string[];
}

/** The kit's folder: above app/scripts/gpu-kit. */
const kitFolder = resolve(import.meta.dirname, '..', '..', '..');

/** Checks this machine; the value is the exit code. */
async function checkMachine(options: Options): Promise<0 | 1 | 2> {
  const report = createReport(options.out);
  const kit = readKit();
  report.record('kit', kit);
  report.record('options', { ...options, only: [...options.only] });
  report.record('began', new Date().toISOString());
  report.print(`Consilium GPU kit ${kit.version}, commit ${kit.commit}`);

  report.print('\n1. This machine');
  const machine = survey();
  const packed = join(kitFolder, 'lib', 'vulkan', 'libvulkan.so.1');
  const vulkan = findVulkan({
    env: process.env,
    linkerCache: askLinker(),
    packedLoader: existsSync(packed) ? packed : null,
  });
  report.record('machine', machine);
  report.record('vulkan', vulkan);
  tellMachine(machine, vulkan, report);
  const { attempts, taken } = await findEngines({
    wanted: options.engine,
    plans: vulkanPlans(vulkan, process.env, options.out),
    threads: options.threads,
    allowSoftware: options.allowSoftware,
    env: process.env,
  });
  report.record(
    'engines',
    attempts.map(({ env: _, ...attempt }) => attempt),
  );
  tellEngines(attempts, report);
  if (taken === undefined) {
    report.print(
      attempts.some(({ works }) => works)
        ? 'Only software devices here: say --allow-software to check those.'
        : 'No engine to check here.',
    );
    return 2;
  }
  const onGpu = taken.engine !== 'onnx-cpu' && !taken.software;
  const device =
    taken.engine === 'onnx-cpu'
      ? machine.cpu
      : (taken.devices[0] ?? machine.nvidiaSmi[0] ?? machine.nvidiaModels[0] ?? 'unknown');
  report.record('taken', { engine: taken.engine, device, software: taken.software });
  report.print(`\nChecking ${taken.engine} on ${device}`);

  const { threads, allowSoftware } = options;
  const choice = { engine: taken.engine, threads, allowSoftware };
  const plan = options.quick ? quickPlan : fullPlan(onGpu);
  const init = { env: taken.env, limitSeconds: plan.limitSeconds };
  const wants = (part: (typeof parts)[number]): boolean => options.only.has(part);
  let held = true;
  let speed: Speed = { training: [], inference: [], reading: [] };
  if (wants('correctness')) {
    report.print('\n2. Correctness');
    held = await checkCorrectness(choice, plan, init, report);
  }
  if (wants('speed')) {
    report.print('\n3. Speed');
    speed = await measureSpeed(choice, plan, init, report);
  }
  if (wants('profile')) {
    report.print('\n4. Where the time goes');
    const tensors = onGpu ? 'large' : taken.software ? 'tiny' : 'small';
    await reportProfile({ ...choice, device, tensors }, plan, init, report);
  }
  if (wants('torch')) {
    report.print('\n5. PyTorch beside it');
    const torchInit = { ...init, env: process.env, limitSeconds: 600, pythons: options.pythons };
    await compareTorch(choice, plan, speed, torchInit, report);
  }
  report.record('ended', new Date().toISOString());
  report.print(`\nresults: ${join(options.out, 'results.json')}`);
  return held ? 0 : 1;
}

function readKit(): { version: string; commit: string } {
  return JSON.parse(readFileSync(join(kitFolder, 'kit.json'), 'utf8'));
}

/** What the dynamic linker knows, or nothing where it cannot be asked. */
function askLinker(): string {
  for (const command of ['/sbin/ldconfig', '/usr/sbin/ldconfig', 'ldconfig']) {
    try {
      return execFileSync(command, ['-p'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    } catch {
      // Not there under this name; without any, the usual folders are searched.
    }
  }
  return '';
}

function tellMachine(machine: Survey, vulkan: VulkanParts, report: Report): void {
  const displays = machine.displays.map(
    ({ slot, vendor, device, driver }) => `${slot} ${vendor} ${device}, driver ${driver ?? 'none'}`,
  );
  const several = (values: readonly string[]): string => values.join('; ') || 'none';
  const loader = vulkan.loader ?? (vulkan.packedLoader === null ? 'none' : "the kit's own");
  const driverFiles = [...vulkan.usualDriverFiles, ...vulkan.otherDriverFiles];
  const lines: [string, string][] = [
    ['system', `${machine.system}, kernel ${machine.kernel}, glibc ${machine.glibc}`],
    [
      'processor',
      `${machine.cpu}, ${machine.usableCores} of ${machine.cores} cores, ${machine.memoryGib} GiB`,
    ],
    ['displays on PCI', several(displays)],
    ['NVIDIA', several([machine.nvidiaDriver ?? 'no kernel driver', ...machine.nvidiaModels])],
    ['nvidia-smi', several(machine.nvidiaSmi)],
    ['Vulkan loader', loader],
    ['Vulkan drivers', several(driverFiles)],
    ["NVIDIA's libraries", several(vulkan.nvidiaLibraries)],
  ];
  report.print(textTable(['what', 'found'], lines));
}

function tellEngines(attempts: readonly EngineAttempt[], report: Report): void {
  const rows = attempts.map(({ engine, vulkan, works, software, why, devices }) => [
    engine,
    works ? (software ? 'works, in software' : 'works') : 'no',
    [vulkan ?? '', devices.join(', '), why].filter(Boolean).join('; '),
  ]);
  report.print(`\n${textTable(['engine', '', ''], rows)}`);
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      engine: { type: 'string' },
      'allow-software': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      out: { type: 'string', default: join(kitFolder, 'results') },
      only: { type: 'string', default: parts.join() },
      threads: { type: 'string', default: String(availableParallelism()) },
      python: { type: 'string' },
    },
  });
  const only = values.only.split(',');
  const threads = Number(values.threads);
  const unknown = only.find((part) => !parts.some((known) => known === part));
  if (unknown !== undefined) throw new RangeError(`there is no part ${unknown}`);
  if (values.engine !== undefined && !isKitEngine(values.engine)) {
    throw new RangeError(`there is no engine ${values.engine}`);
  }
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > 4 * cpus().length) {
    throw new RangeError(`--threads wants a whole number from 1, got ${values.threads}`);
  }
  return {
    engine: values.engine,
    allowSoftware: values['allow-software'],
    quick: values.quick,
    out: resolve(values.out),
    only: new Set(only),
    threads,
    pythons: values.python === undefined ? ['python3', '/usr/bin/python3'] : [values.python],
  };
}

/** What run.sh starts. Exported so that the packer finds all that belongs to it. */
export async function main(): Promise<void> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}\n${usage}`);
    process.exitCode = 2;
    return;
  }
  try {
    process.exitCode = await checkMachine(options);
  } catch (error) {
    console.error(error);
    process.exitCode = 2;
  }
}

if (import.meta.main) await main();
