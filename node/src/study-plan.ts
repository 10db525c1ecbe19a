import { readFile } from 'node:fs/promises';
import {
  decodePretrained,
  defaultTask,
  initialWeights,
  type LesionTask,
  ModelError,
  parseTask,
  pretrainedFile,
  privateTask,
  smallTask,
  trainableTensors,
} from '@consilium/model';
import { PrivacyError } from '@consilium/privacy';
import { z } from 'zod';
import { NodeError } from './error.ts';
import type { StudyPlan } from './founding.ts';
import { policyFor, privacyPlan } from './privacy-plan.ts';
import { exists } from './site-folder.ts';
import { parseYaml } from './yaml-document.ts';

const planSchema = z.strictObject({
  name: z.string().min(1).max(128),
  /** `default`, `small`, or a whole task. */
  task: z
    .union([z.enum(['default', 'small']), z.record(z.string(), z.unknown())])
    .default('default'),
  /** `pretrained` begins from the weights that come with a named task, `random` from the seed. Default: pretrained where the study is private. */
  start: z.enum(['pretrained', 'random']).optional(),
  /** Seed of random initial weights. */
  seed: z.int().min(0).default(0),
  /** What the study promises its patients; left out, it promises nothing. */
  privacy: privacyPlan.prefault({ profile: 'off' }),
  /** What is trained under privacy: parts (`head`, `norms`, `last-stage`, `all`) or names of tensors. */
  train: z.array(z.string()).min(1).default(['norms']),
  rounds: z.strictObject({
    count: z.int().min(1),
    deadlineSeconds: z.int().min(1).default(3600),
    quorum: z.int().min(1),
  }),
  witnesses: z
    .strictObject({
      /** Other members that must cosign how long a log is before it counts as witnessed. Default: a majority of all members, and no more than there are others. */
      quorum: z.int().min(0).max(255).optional(),
    })
    .prefault({}),
  roster: z
    .array(
      z.strictObject({
        name: z.string(),
        site: z.string(),
        role: z.enum(['trainer', 'validator', 'observer']),
        patients: z.int().min(0).default(0),
        addresses: z.array(z.string()).default([]),
      }),
    )
    .min(1),
});

const tasks = { default: defaultTask, small: smallTask } as const;

/**
 * Reads a founder's plan (YAML): name, task, privacy, rounds and roster.
 * @throws {NodeError} `CONFIG`, naming what is wrong.
 */
export async function readPlan(path: string): Promise<StudyPlan> {
  if (!(await exists(path)))
    throw new NodeError(
      'CONFIG',
      `there is no plan at ${path}`,
      'write one: name, rounds and roster; the guide for founders has an example',
    );
  const result = planSchema.safeParse(parseYaml(await readFile(path, 'utf8'), path));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new NodeError(
      'CONFIG',
      `${path}: ${issue?.path.join('.') || 'the top level'}: ${issue?.message}`,
      'compare with the example in the guide for founders',
    );
  }
  const { name, rounds, roster, seed, privacy, train } = result.data;
  const isPrivate = privacy.profile !== 'off';
  const task = taskOf(result.data.task, rounds.count, isPrivate, path);
  const start = result.data.start ?? (isPrivate ? 'pretrained' : 'random');
  const policy = readable(path, () =>
    policyFor(privacy, {
      cohorts: roster.filter(({ role }) => role === 'trainer').map(({ patients }) => patients),
      rounds: rounds.count,
      stepsPerRound: task.training.stepsPerRound,
      trainable: trainableTensors(task.network, train),
    }),
  );
  const weights =
    start === 'random' ? initialWeights(task.network, seed) : await readPretrained(task, path);
  const { quorum } = result.data.witnesses;
  return { name, task, rounds, roster, privacy: policy, witnessQuorum: quorum, start: weights };
}

/** The weights that come with a task's network. @throws {NodeError} `CONFIG` when there are none. */
async function readPretrained({ network }: LesionTask, path: string): Promise<Float32Array> {
  const file = pretrainedFile(network);
  if (file !== null) return decodePretrained(network, await readFile(file));
  throw new NodeError(
    'CONFIG',
    `${path}: there are no pre-trained weights for this network`,
    'use task `default` or `small`, or `start: random`',
  );
}

/** Lets a package's own error speak of the plan that it came from. */
function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof ModelError || cause instanceof PrivacyError)) throw cause;
    throw new NodeError(
      'CONFIG',
      `${path}: ${cause.message}`,
      'the guide for founders tells what a plan may hold; `consilium privacy plan` tells what privacy costs',
      { cause },
    );
  }
}

/** A whole task as it is, or a named one whose learning rate falls over just the steps that the study takes. */
function taskOf(
  task: keyof typeof tasks | Record<string, unknown>,
  rounds: number,
  isPrivate: boolean,
  path: string,
): LesionTask {
  if (typeof task !== 'string') return readable(path, () => parseTask(task));
  const { training, ...named } = isPrivate ? privateTask(tasks[task]) : tasks[task];
  const decaySteps = Math.min(rounds * training.stepsPerRound, 1_000_000);
  return { ...named, training: { ...training, decaySteps } };
}
