import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultTask, type LesionTask, networkLayout, smallTask } from '@consilium/model';
import { type Comparison, compare, recordedFigures } from './demo/compare.ts';
import { foundConsortium } from './demo/consortium.ts';
import { learnTogether } from './demo/learn-together.ts';
import { writePictures } from './demo/pictures.ts';
import { type DemoPlan, generatedPlan, slicesPlan } from './demo/plan.ts';
import { consilium, type NodeProcess } from './demo/processes.ts';
import { readSafetensors } from './demo/safetensors.ts';
import { Screen, table } from './demo/screen.ts';

const { values } = parseArgs({
  options: { data: { type: 'string' }, out: { type: 'string', default: 'results' } },
});
const interrupted = new AbortController();
for (const event of ['SIGINT', 'SIGTERM'] as const)
  process.once(event, () => interrupted.abort(new Error('interrupted')));
await demo(
  values.data === undefined ? generatedPlan() : slicesPlan(resolve(values.data)),
  resolve(values.out),
  interrupted.signal,
);

/** Five hospitals' processes learn one model, one of them is killed and comes back, and a table shows what it was good for. */
async function demo(plan: DemoPlan, out: string, signal: AbortSignal): Promise<void> {
  const began = performance.now();
  const screen = new Screen();
  const task = taskOf(plan);
  const root = join(out, 'demo');
  screen.say(
    `Consilium: ${plan.sites.length} processes, ${plan.title}. Research use only: not a medical device.\n`,
  );
  screen.say(`Founding the study in ${root} (init, study create, study join) …`);
  const nodes = await foundConsortium(plan, task, root);
  screen.say(
    `Learning together: ${plan.rounds} rounds of ${plan.stepsPerRound} steps, over TCP on loopback. Privacy profile: OFF (no noise yet).\n`,
  );
  try {
    const { statuses, killedAndBack } = await learnTogether(plan, nodes, screen, signal);
    const digests = Object.fromEntries(
      [...statuses].map(([name, { state }]) => [name, state?.digest ?? '']),
    );
    const together = await exportedModel(
      nodes.at(-1) as NodeProcess,
      task,
      join(root, 'model.safetensors'),
    );
    const recorded = recordedFigures(
      [...statuses.values()][0] as Parameters<typeof recordedFigures>[0],
      Object.values(digests)[0] as string,
    );
    await Promise.all(nodes.map((node) => node.end('SIGTERM')));
    const networkSeconds = (performance.now() - began) / 1000;
    screen.say(
      `\nThe network has learnt in ${networkSeconds.toFixed(0)} s. For comparison, each hospital alone, with as many steps:\n`,
    );
    const { comparison, alone } = await compare(plan, task, together, signal, (lines) =>
      screen.show(lines),
    );
    const pictures = await writePictures(plan, task, together, join(out, 'demo-pictures'), signal);
    const elapsedSeconds = Math.round((performance.now() - began) / 1000);
    report(screen, plan, comparison, digests);
    screen.say(
      `\nsigned by the sites themselves in their logs: ${[...recorded].map(([name, { dice }]) => `${name} ${shown(dice)}`).join(', ')}`,
    );
    screen.say(`pictures (truth green, prediction red): ${pictures}`);
    screen.say(
      `elapsed: ${elapsedSeconds} s; ${killedAndBack} was killed and came back; details: ${join(out, 'demo.json')}`,
    );
    await mkdir(out, { recursive: true });
    const result = {
      digests,
      external: {
        together: comparison.get('together')?.get('external'),
        alone: Object.fromEntries(
          alone.map(({ name }) => [name, comparison.get(name)?.get('external')]),
        ),
      },
      elapsedSeconds,
      killedAndBack,
      comparison: Object.fromEntries(
        [...comparison].map(([name, bySite]) => [name, Object.fromEntries(bySite)]),
      ),
      recorded: Object.fromEntries(recorded),
      plan: { title: plan.title, rounds: plan.rounds, stepsPerRound: plan.stepsPerRound },
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
      commit: commit(),
    };
    await writeFile(join(out, 'demo.json'), `${JSON.stringify(result, null, 2)}\n`);
    if (new Set(Object.values(digests)).size !== 1)
      throw new Error('the processes do not hold the same model');
  } finally {
    await Promise.all(nodes.map((node) => node.end('SIGKILL')));
  }
}

function taskOf(plan: DemoPlan): LesionTask {
  const base = plan.task === 'default' ? defaultTask : smallTask;
  const decaySteps = plan.rounds * plan.stepsPerRound;
  return { ...base, training: { ...base.training, stepsPerRound: plan.stepsPerRound, decaySteps } };
}

/** What a researcher gets: the model out of the observer's node, by the command line, as a whole vector with zero corrections. */
async function exportedModel(
  node: NodeProcess,
  task: LesionTask,
  file: string,
): Promise<Float32Array> {
  await consilium('model', 'export', '--out', file, '--folder', node.folder);
  return readSafetensors(file, networkLayout(task.network));
}

function report(
  screen: Screen,
  plan: DemoPlan,
  comparison: Comparison,
  digests: Record<string, string>,
): void {
  const tests = plan.sites.filter(({ test }) => test !== null).map(({ name }) => name);
  const rows = [...comparison].map(([method, bySite]) => [
    method === 'together' ? 'together' : `${method} alone`,
    ...tests.map((test) => shown(bySite.get(test)?.dice ?? null)),
  ]);
  screen.say('\nLesion Dice on held-out patients of\n');
  for (const line of table([['', ...tests], ...rows])) screen.say(`  ${line}`);
  const external = [...comparison].map(([method, bySite]) => {
    const figures = bySite.get('external');
    return [
      method === 'together' ? 'together' : `${method} alone`,
      shown(figures?.diceInLung ?? null),
      shown(figures?.sensitivityLenient ?? null),
      shown(figures?.sensitivityStrict ?? null),
      shown(figures?.burdenError ?? null),
    ];
  });
  screen.say(
    '\nOn the external site: lesion Dice inside the true lung, lesion sensitivity at 1 false positive a slice, and error of the lesion burden\n',
  );
  for (const line of table([
    ['', 'Dice in lung', 'lenient', 'strict', 'burden error'],
    ...external,
  ]))
    screen.say(`  ${line}`);
  screen.say('\nThe model at every process\n');
  for (const [name, digest] of Object.entries(digests))
    screen.say(`  ${name.padEnd(12)} ${digest}`);
}

function shown(value: number | null): string {
  return value === null ? '–' : value.toFixed(3);
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch (error) {
    // A source archive without git: the figure then names no commit.
    if (error instanceof Error) return 'unknown';
    throw error;
  }
}
