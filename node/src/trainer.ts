import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ComputeError, type ComputeErrorCode } from '@consilium/compute';
import { ImagingError, type ImagingErrorCode } from '@consilium/imaging';
import { type MicrobatchReduced, ModelError, type ModelErrorCode } from '@consilium/model';
import { PrivacyError, type PrivacyErrorCode } from '@consilium/privacy';
import { engineEnvironment } from './engine-environment.ts';
import type {
  ComputeChoice,
  FromProcess,
  JobKind,
  JobProgress,
  Jobs,
  ToProcess,
} from './training-messages.ts';

export type TrainerErrorCode =
  /** The training process ended in the middle of a job (killed, out of memory, crashed). The next job starts a new one. */
  | 'PROCESS_LOST'
  /** The trainer was stopped before or during the job. */
  | 'STOPPED'
  /** The job failed inside the process, for a reason that is none of the packages’ own errors. */
  | 'JOB_FAILED';

export class TrainerError extends Error {
  override readonly name = 'TrainerError';
  readonly code: TrainerErrorCode;
  constructor(code: TrainerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface TrainerInit {
  /** The engine that the process computes with. @default `onnx-cpu`, one thread */
  compute?: ComputeChoice;
  /** Niceness of the process, 0…19: the node's own work goes first. @default 10 */
  priority?: number;
  /** How much memory prepared patients may take between jobs. @default 512 MiB */
  cacheBytes?: number;
  /** Arguments of the new process's Node. @default those of this process */
  execArgv?: readonly string[];
  /** How long an aborted job may go on before the process is killed. @default 10_000 */
  abortGraceMs?: number;
  /** Is told when memory holds fewer samples at once than a batch has; once for each size. @default nobody is */
  onReduced?: (reduced: MicrobatchReduced) => void;
}

export interface JobOptions {
  signal?: AbortSignal;
  onProgress?: (progress: JobProgress) => void;
}

/**
 * Trains and evaluates in a process of its own, so that the node's event loop never waits for a matrix product. Jobs run one after the other
 * in the order of the calls.
 *
 * A job ends with its result or rejects with: the signal's reason; a `ModelError`, `ImagingError`, `PrivacyError` or `ComputeError` as it was thrown in the
 * process;
 * a `TrainerError`. Losing the process costs the job it was at: those that wait, and later ones, get a new process. So do those after an
 * engine that failed or ran out of memory: a device that was lost is opened anew, or found to be missing, and memory is given back.
 */
export interface Trainer {
  /** Rejects with `NON_FINITE` when engine or weights are not sound. */
  check(job: Jobs['check']['job'], options?: JobOptions): Promise<Jobs['check']['result']>;
  train(job: Jobs['train']['job'], options?: JobOptions): Promise<Jobs['train']['result']>;
  evaluate(job: Jobs['evaluate']['job'], options?: JobOptions): Promise<Jobs['evaluate']['result']>;
  /** A few slices with truth and prediction, for people at this site. */
  pictures(job: Jobs['pictures']['job'], options?: JobOptions): Promise<Jobs['pictures']['result']>;
  /** The process at work, or null while there is none. */
  readonly pid: number | null;
  /** Jobs that wait or run. */
  readonly pending: number;
  /** Ends the process; every job that waits or runs rejects with `STOPPED`. Further calls reject too. */
  stop(): Promise<void>;
}

interface Entry {
  readonly message: Exclude<ToProcess, { kind: 'start' | 'abort' }>;
  readonly options: JobOptions;
  readonly resolve: (result: Jobs[JobKind]['result']) => void;
  readonly reject: (reason: unknown) => void;
  readonly release: () => void;
}

/** @see Trainer */
export function createTrainer(init: TrainerInit = {}): Trainer {
  const { compute = {}, priority = 10, cacheBytes = 512 * 2 ** 20, abortGraceMs = 10_000 } = init;
  const { onReduced = () => undefined } = init;
  const execArgv = init.execArgv ?? process.execArgv;
  const queue: Entry[] = [];
  let running: Entry | null = null;
  let child: ChildProcess | null = null;
  let grace: NodeJS.Timeout | null = null;
  let stopped = false;
  let lastId = 0;

  const startProcess = (): ChildProcess => {
    const started = fork(entryFile(), [], {
      execPath: process.execPath,
      execArgv: [...execArgv],
      env: engineEnvironment(compute, process.env),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let complaint = '';
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-2000);
    });
    started.on('message', (message) => {
      if (started === child) {
        receive(message as FromProcess);
      }
    });
    started.on('error', (cause) => lose(started, `could not be started: ${cause.message}`));
    started.on('close', (code, signal) => {
      lose(
        started,
        `ended with ${signal ?? `status ${code}`}${complaint && `: ${complaint.trim()}`}`,
      );
    });
    tell(started, { kind: 'start', compute, priority, cacheBytes });
    return started;
  };

  // A message to a process that has just died is no news of its own: 'close' follows and rejects the job.
  const tell = (to: ChildProcess, message: ToProcess): void => {
    if (to.connected) {
      to.send(message, () => undefined);
    }
  };

  const lose = (lost: ChildProcess, how: string): void => {
    if (lost !== child) {
      return;
    }
    child = null;
    const entry = finish();
    entry?.reject(
      entry.options.signal?.aborted
        ? entry.options.signal.reason
        : new TrainerError(stopped ? 'STOPPED' : 'PROCESS_LOST', `the training process ${how}`),
    );
    next();
  };

  const finish = (): Entry | null => {
    const entry = running;
    running = null;
    entry?.release();
    if (grace !== null) {
      clearTimeout(grace);
      grace = null;
    }
    return entry;
  };

  const next = (): void => {
    const entry = running === null && !stopped ? queue.shift() : undefined;
    if (entry === undefined) {
      return;
    }
    running = entry;
    child ??= startProcess();
    tell(child, entry.message);
  };

  const receive = (message: FromProcess): void => {
    if (message.kind === 'reduced') {
      onReduced(message.reduced);
      return;
    }
    if (running === null || message.id !== running.message.id) {
      return;
    }
    if (message.kind === 'progress') {
      running.options.onProgress?.(message.progress);
      return;
    }
    const entry = finish();
    if (message.kind === 'result') {
      entry?.resolve(message.result);
    } else {
      if (message.code === 'ENGINE_FAILED' || message.code === 'OUT_OF_MEMORY') {
        retire();
      }
      entry?.reject(
        entry.options.signal?.aborted ? entry.options.signal.reason : asThrown(message),
      );
    }
    next();
  };

  /** Nobody waits for the process any more: `lose` knows another one, or none. */
  const retire = (): void => {
    child?.kill('SIGKILL');
    child = null;
  };

  const abort = (entry: Entry): void => {
    if (entry !== running) {
      queue.splice(queue.indexOf(entry), 1);
      entry.release();
      entry.reject(entry.options.signal?.reason);
      return;
    }
    const target = child;
    if (target !== null) {
      tell(target, { kind: 'abort', id: entry.message.id });
      grace = setTimeout(() => target.kill('SIGKILL'), abortGraceMs);
    }
  };

  const submit = <K extends JobKind>(
    kind: K,
    job: Jobs[K]['job'],
    options: JobOptions = {},
  ): Promise<Jobs[K]['result']> =>
    new Promise((resolve, reject) => {
      options.signal?.throwIfAborted();
      if (stopped) {
        throw new TrainerError('STOPPED', 'the trainer is stopped');
      }
      lastId += 1;
      const onAbort = (): void => abort(entry);
      const entry: Entry = {
        message: { kind, id: lastId, job } as Entry['message'],
        options,
        resolve,
        reject,
        release: () => options.signal?.removeEventListener('abort', onAbort),
      };
      options.signal?.addEventListener('abort', onAbort, { once: true });
      queue.push(entry);
      next();
    });

  return {
    check: (job, options) => submit('check', job, options),
    train: (job, options) => submit('train', job, options),
    evaluate: (job, options) => submit('evaluate', job, options),
    pictures: (job, options) => submit('pictures', job, options),
    get pid() {
      return child?.pid ?? null;
    },
    get pending() {
      return queue.length + (running === null ? 0 : 1);
    },
    stop: async () => {
      stopped = true;
      for (const entry of queue.splice(0)) {
        entry.release();
        entry.reject(new TrainerError('STOPPED', 'the trainer was stopped'));
      }
      const target = child;
      if (target !== null) {
        const closed = new Promise<void>((resolve) => target.once('close', () => resolve()));
        target.kill('SIGKILL');
        await closed;
      }
    },
  };
}

/** The sibling entry: a .ts file when run from sources, a .js file when built. */
function entryFile(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./training-process.${extension}`, import.meta.url));
}

function asThrown({ name, code, message }: Extract<FromProcess, { kind: 'failure' }>): Error {
  if (name === 'ModelError' && code !== null) {
    return new ModelError(code as ModelErrorCode, message);
  }
  if (name === 'ImagingError' && code !== null) {
    return new ImagingError(code as ImagingErrorCode, message);
  }
  if (name === 'PrivacyError' && code !== null) {
    return new PrivacyError(code as PrivacyErrorCode, message);
  }
  if (name === 'ComputeError' && code !== null) {
    return new ComputeError(code as ComputeErrorCode, message);
  }
  return new TrainerError('JOB_FAILED', message);
}
