/**
 * The process that trains. It is started by `createTrainer`, computes one job at a time, and ends with its parent.
 * Patients are read here and stay here; what goes back is weights, aggregate figures, and what people at the site ask to see.
 */
import { randomBytes } from 'node:crypto';
import { setPriority } from 'node:os';
import { createEngine, type Engine } from '@consilium/compute';
import {
  createLesionModel,
  evaluatePatient,
  type LesionModel,
  type LesionTask,
  type MicrobatchReduced,
  type PatientEvaluation,
  predict,
  readAhead,
  summarise,
  trainPrivately,
  trainSteps,
} from '@consilium/model';
import { createMechanism, PrivacyError } from '@consilium/privacy';
import { CohortCache } from './training-cohort.ts';
import type {
  CheckJob,
  EvaluateJob,
  EvaluateResult,
  FromProcess,
  JobKind,
  JobProgress,
  Jobs,
  PicturesJob,
  SlicePicture,
  ToProcess,
  TrainJob,
  TrainResult,
} from './training-messages.ts';
import { picturesOf } from './training-pictures.ts';

interface Running {
  readonly signal: AbortSignal;
  readonly report: (progress: JobProgress) => void;
}

let engine: Promise<Engine> | null = null;
let model: { key: string; model: LesionModel } | null = null;
let cohorts = new CohortCache(0);
let current: { id: number; controller: AbortController } | null = null;

process.on('disconnect', () => process.exit());
process.on('message', (message: ToProcess) => {
  if (message.kind === 'start') {
    setPriority(message.priority);
    const { engine: name = 'onnx-cpu', ...options } = message.compute;
    engine = createEngine(name, options);
    // What is wrong with it is said to the job that needs it.
    engine.catch(() => undefined);
    cohorts = new CohortCache(message.cacheBytes);
  } else if (message.kind === 'abort') {
    if (current?.id === message.id) {
      current.controller.abort();
    }
  } else {
    void work(message);
  }
});

async function work(message: Exclude<ToProcess, { kind: 'start' | 'abort' }>): Promise<void> {
  const controller = new AbortController();
  current = { id: message.id, controller };
  const { id } = message;
  const running: Running = {
    signal: controller.signal,
    report: (progress) => send({ kind: 'progress', id, progress }),
  };
  try {
    send({ kind: 'result', id, result: await perform(message, running) });
  } catch (error) {
    send({ kind: 'failure', id, ...described(error) });
  }
}

function perform(
  message: Exclude<ToProcess, { kind: 'start' | 'abort' }>,
  running: Running,
): Promise<Jobs[JobKind]['result']> {
  switch (message.kind) {
    case 'check':
      return check(message.job, running);
    case 'train':
      return train(message.job, running);
    case 'evaluate':
      return evaluate(message.job, running);
    case 'pictures':
      return pictures(message.job, running);
  }
}

async function check({ task, weights }: CheckJob, { signal }: Running): Promise<null> {
  await (await modelFor(task)).check(weights, signal);
  return null;
}

async function train(job: TrainJob, { signal, report }: Running): Promise<TrainResult> {
  const { task, weights, optimizerState, steps, seed, privacy } = job;
  if (privacy !== null && cohorts.count(job.cohort) < privacy.declaredPatients) {
    throw new PrivacyError(
      'COHORT_TOO_SMALL',
      'the cohort has fewer patients than were declared: none was read',
    );
  }
  const cohort = await cohorts.prepared(job.cohort, task, signal);
  const init = { model: await modelFor(task), cohort, weights, optimizerState, steps, seed };
  if (privacy === null) {
    const trained = await trainSteps(init, {
      signal,
      onProgress: (training) => report({ done: training.step, total: steps, training }),
    });
    return { weights: trained.weights, optimizerState: trained.optimizerState, steps };
  }
  const { slicesPerPatient, trainable } = privacy;
  const mechanism = createMechanism({ random: randomBytes }, privacy.mechanism);
  return trainPrivately(
    { ...init, mechanism, privacy: { slicesPerPatient, trainable } },
    { signal, onProgress: ({ step }) => report({ done: step, total: steps }) },
  );
}

async function evaluate(job: EvaluateJob, { signal, report }: Running): Promise<EvaluateResult> {
  const evaluations: PatientEvaluation[] = [];
  const total = cohorts.count(job.cohort);
  // Figures are published: those of a broken device would be taken for the model's.
  const members = job.weights instanceof Float32Array ? [job.weights] : job.weights;
  for (const weights of members) await (await modelFor(job.task)).check(weights, signal);
  for await (const patient of readAhead(cohorts.patients(job.cohort, signal))) {
    const prediction = await predict(await modelFor(job.task), job.weights, patient.scan, {
      signal,
      mirrored: job.mirrored ?? false,
    });
    evaluations.push(evaluatePatient(patient, prediction));
    report({ done: evaluations.length, total });
  }
  return {
    summary: summarise(evaluations, job.seed ?? 0),
    patients: job.perPatient === true ? evaluations.map(({ metrics }) => metrics) : [],
  };
}

async function pictures(
  job: PicturesJob,
  { signal, report }: Running,
): Promise<readonly SlicePicture[]> {
  const result: SlicePicture[] = [];
  let index = 0;
  for await (const patient of cohorts.patients(job.cohort, signal)) {
    if (index === job.patients) {
      break;
    }
    const prediction = await predict(await modelFor(job.task), job.weights, patient.scan, {
      signal,
    });
    result.push(...picturesOf(patient, prediction, job.task, index, job.slicesEach));
    index += 1;
    report({ done: index, total: job.patients });
  }
  return result;
}

/** Keeps the programs of the last task: a site works at one study at a time. */
async function modelFor(task: LesionTask): Promise<LesionModel> {
  if (engine === null) {
    throw new RangeError('a job came before the start message');
  }
  const key = JSON.stringify(task);
  if (model?.key !== key) {
    const old = model;
    const onReduced = (reduced: MicrobatchReduced): void => send({ kind: 'reduced', reduced });
    model = { key, model: createLesionModel(await engine, task, { onReduced }) };
    await old?.model.close();
  }
  return model.model;
}

function send(message: FromProcess): void {
  process.send?.(message);
}

function described(error: unknown): { name: string; code: string | null; message: string } {
  if (!(error instanceof Error)) {
    return { name: 'Error', code: null, message: String(error) };
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  return { name: error.name, code, message: error.message };
}
