import { initialWeights, type LesionTask } from '@consilium/model';
import { type CohortSource, createTrainer, type Status, type Trainer } from '@consilium/node';
import type { DemoPlan, DemoSite } from './plan.ts';

/** Lesion figures of one model on one site's held-out patients. */
export interface Figures {
  readonly dice: number | null;
  readonly diceInLung: number | null;
  readonly sensitivityLenient: number | null;
  readonly sensitivityStrict: number | null;
  readonly burdenError: number | null;
}

/** For each method (each hospital alone, and `together`), figures by test site. */
export type Comparison = ReadonlyMap<string, ReadonlyMap<string, Figures>>;

export interface Trained {
  readonly name: string;
  readonly weights: Float32Array;
}

/**
 * Trains each hospital by itself from the same initial weights for as many steps as it took in the network, two at a time, and evaluates these models
 * and the network's on every test site.
 */
export async function compare(
  plan: DemoPlan,
  task: LesionTask,
  together: Float32Array,
  signal: AbortSignal,
  onProgress: (lines: readonly string[]) => void,
): Promise<{ comparison: Comparison; alone: readonly Trained[] }> {
  const hospitals = plan.sites.filter(({ role }) => role === 'trainer');
  const progress = new Map<string, string>();
  const report = (name: string, text: string): void => {
    progress.set(name, text);
    onProgress([...progress].map(([who, what]) => `  ${who.padEnd(18)} ${what}`));
  };
  const trainers = [createTrainer(), createTrainer()];
  try {
    const alone = await inParallel(trainers, hospitals, async (trainer, { name, train }) => {
      const { weights } = await trainer.train(
        {
          task,
          weights: initialWeights(task.network, 1),
          optimizerState: null,
          steps: plan.rounds * plan.stepsPerRound,
          seed: 1,
          cohort: train as CohortSource,
          privacy: null,
        },
        {
          signal,
          onProgress: ({ done, total }) => report(`${name} alone`, `step ${done} of ${total}`),
        },
      );
      return { name, weights };
    });
    const models = [...alone, { name: 'together', weights: together }];
    const tests = plan.sites.filter(({ test }) => test !== null);
    const pairs = tests.flatMap((site) => models.map((model) => ({ site, model })));
    const figures = await inParallel(trainers, pairs, async (trainer, { site, model }) => {
      report('evaluation', `${model.name} on ${site.name}`);
      return { site, model, figures: await evaluated(trainer, task, model.weights, site, signal) };
    });
    const comparison = new Map(
      models.map(({ name }) => [
        name,
        new Map(
          figures
            .filter(({ model }) => model.name === name)
            .map(({ site, figures }) => [site.name, figures]),
        ),
      ]),
    );
    return { comparison, alone };
  } finally {
    await Promise.all(trainers.map((trainer) => trainer.stop()));
  }
}

/** What the sites themselves signed about a state, by site name. The network's own table: nobody was asked for it. */
export function recordedFigures(status: Status, digest: string): ReadonlyMap<string, Figures> {
  const nameOf = new Map(status.members.map(({ site, name }) => [site, name]));
  const figure = (metrics: Status['evaluations'][number]['metrics'], name: string): number | null =>
    metrics.find((metric) => metric.name === name)?.value ?? null;
  return new Map(
    status.evaluations
      .filter(({ state }) => state === digest)
      .map(({ site, metrics }) => [
        nameOf.get(site) ?? site,
        {
          dice: figure(metrics, 'lesion-dice'),
          diceInLung: figure(metrics, 'lesion-dice-in-lung'),
          sensitivityLenient: figure(metrics, 'sensitivity-at-1-fp-per-slice.lenient'),
          sensitivityStrict: figure(metrics, 'sensitivity-at-1-fp-per-slice.strict'),
          burdenError: figure(metrics, 'burden-error'),
        },
      ]),
  );
}

async function evaluated(
  trainer: Trainer,
  task: LesionTask,
  weights: Float32Array,
  site: DemoSite,
  signal: AbortSignal,
): Promise<Figures> {
  const { summary } = await trainer.evaluate(
    { task, weights, cohort: site.test as CohortSource },
    { signal },
  );
  const { dice, diceInLung, sensitivityLenient, sensitivityStrict, burdenError } = summary.metrics;
  return {
    dice: dice.mean,
    diceInLung: diceInLung.mean,
    sensitivityLenient: sensitivityLenient.mean,
    sensitivityStrict: sensitivityStrict.mean,
    burdenError: burdenError.mean,
  };
}

/** Runs `work` on every item, each worker taking the next when it is free; results in the items' order. */
async function inParallel<W, T, R>(
  workers: readonly W[],
  items: readonly T[],
  work: (worker: W, item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  await Promise.all(
    workers.map(async (worker) => {
      for (const [index, item] of queue) results[index] = await work(worker, item);
    }),
  );
  return results;
}
