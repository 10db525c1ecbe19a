import { readFile } from 'node:fs/promises';
import { defaultTask, type LesionTask, ModelError, parseTask, smallTask } from '@consilium/model';
import { z } from 'zod';
import { NodeError } from './error.ts';
import type { StudyPlan } from './founding.ts';
import { exists } from './site-folder.ts';
import { parseYaml } from './yaml-document.ts';

const planSchema = z.strictObject({
  name: z.string().min(1).max(128),
  /** `default`, `small`, or a whole task. */
  task: z
    .union([z.enum(['default', 'small']), z.record(z.string(), z.unknown())])
    .default('default'),
  /** Seed of the initial weights. */
  seed: z.int().min(0).default(0),
  rounds: z.strictObject({
    count: z.int().min(1),
    deadlineSeconds: z.int().min(1).default(3600),
    quorum: z.int().min(1),
  }),
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
 * Reads a founder's plan (YAML): name, task, rounds and roster.
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
  const { task, rounds } = result.data;
  return { ...result.data, task: taskOf(task, rounds.count, path) };
}

/** A whole task as it is, or a named one whose learning rate falls over just the steps that the study takes. */
function taskOf(
  task: keyof typeof tasks | Record<string, unknown>,
  rounds: number,
  path: string,
): LesionTask {
  if (typeof task === 'string') {
    const { training, ...named } = tasks[task];
    const decaySteps = Math.min(rounds * training.stepsPerRound, 1_000_000);
    return { ...named, training: { ...training, decaySteps } };
  }
  try {
    return parseTask(task);
  } catch (cause) {
    if (!(cause instanceof ModelError)) throw cause;
    throw new NodeError(
      'CONFIG',
      `${path}: ${cause.message}`,
      'a task is whole or it is `default` or `small`',
      { cause },
    );
  }
}
