import { type EngineName, engineNames } from '@consilium/compute';
import { type ChosenEngine, chosenEngine, engineWithoutSite } from '../chosen-engine.ts';
import { computeReport, remedyFor, reportLines } from '../compute-report.ts';
import { type EngineProbe, probeEngine } from '../engine-probe.ts';
import { NodeError } from '../error.ts';
import { exists, type SiteFolder } from '../site-folder.ts';
import { usage } from '../usage.ts';
import { type Command, type Invocation, textOption } from './command.ts';

const form = 'doctor compute [--measure STEPS] [--allow-software] [--json]';

export const doctorCompute: Command = {
  usage: form,
  summary: 'try every engine that this machine could train with, and say which is chosen and why',
  options: {
    json: { type: 'boolean' },
    /** Takes a Vulkan driver that is software for a GPU, as `compute.allowSoftware` does. */
    'allow-software': { type: 'boolean' },
    /** Training steps that are measured of each engine; 0 only tries whether it works. */
    measure: { type: 'string' },
  },
  positionals: 0,
  async run(invocation) {
    const { folder, options, print, signal } = invocation;
    const steps = stepsOf(invocation);
    const found = await chosenHere(folder);
    const isAllowed = options['allow-software'] === true || found.allowSoftware;
    const chosen = { ...found, allowSoftware: isAllowed };
    const probes: EngineProbe[] = [];
    for (const engine of engineNames) probes.push(await probed(engine, chosen, steps, signal));
    const report = computeReport(chosen, probes);
    if (options['json'] === true) print(JSON.stringify(report, null, 2));
    else for (const line of reportLines(report)) print(line);
    const own = report.engines.find(({ engine }) => engine === chosen.engine);
    if (own?.works === false) {
      throw new NodeError(
        'ENGINE_UNUSABLE',
        `${own.engine}, which this site is to compute with, does not work here: ${own.reason}`,
        remedyFor(own.engine),
      );
    }
  },
};

function stepsOf(invocation: Invocation): number {
  const text = textOption(invocation, 'measure') ?? '5';
  if (/^(?:0|[1-9]\d{0,3})$/.test(text)) return Number(text);
  throw usage(`--measure needs a whole number of steps up to 9999, got ${text}`, form);
}

async function chosenHere(folder: SiteFolder): Promise<ChosenEngine> {
  return (await exists(folder.config))
    ? chosenEngine(folder, process.env)
    : engineWithoutSite(process.env);
}

/** One engine's probe, with a line of progress for people. */
async function probed(
  engine: EngineName,
  { threads, allowSoftware }: ChosenEngine,
  steps: number,
  signal: AbortSignal,
): Promise<EngineProbe> {
  const isTerminal = process.stderr.isTTY === true;
  const show = (text: string): void => {
    if (isTerminal) process.stderr.write(`\r${text}\u001b[K`);
  };
  show(`${engine}: starting`);
  if (!isTerminal) process.stderr.write(`trying ${engine}\n`);
  const onStep = (step: number): void => show(`${engine}: step ${step} of ${steps}`);
  const probe = await probeEngine({ engine, threads, allowSoftware }, { steps, signal, onStep });
  show('');
  return probe;
}
