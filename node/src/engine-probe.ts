import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineName } from '@consilium/compute';
import { engineEnvironment } from './engine-environment.ts';
import type { ComputeChoice } from './training-messages.ts';

/** What trying an engine showed. */
export type EngineProbe =
  | {
      readonly engine: EngineName;
      readonly works: true;
      readonly device: string;
      /** L2 norm of one fixed gradient: the same on every sound engine, but for float32 rounding. */
      readonly gradientNorm: number;
      /** Of one training step; null when none was measured. */
      readonly medianMs: number | null;
    }
  | {
      readonly engine: EngineName;
      readonly works: false;
      /** A `ComputeErrorCode` or `ModelErrorCode`, or `CRASHED`, `TIMEOUT`, `UNKNOWN`. */
      readonly code: string;
      readonly reason: string;
    };

export interface ProbeOptions {
  /** Training steps that are measured, after one that is not; fewer on an engine that takes more than ten seconds for them. */
  readonly steps: number;
  readonly signal: AbortSignal;
  readonly onStep: (step: number) => void;
  /** From the start of the process to its answer. @default 120_000 */
  readonly timeoutMs?: number;
  /** Arguments of the new process's Node. @default those of this process */
  readonly execArgv?: readonly string[];
}

export type ToProbe = ComputeChoice & { readonly engine: EngineName; readonly steps: number };
export type FromProbe =
  | { kind: 'step'; step: number }
  | { kind: 'found'; device: string; gradientNorm: number; stepMs: readonly number[] }
  | { kind: 'failed'; code: string; message: string };

/**
 * Tries an engine in a process of its own, which is gone when the promise settles. Whatever that process does, a crash in a driver included, is an answer.
 *
 * @throws the signal's reason.
 */
export async function probeEngine(
  choice: ComputeChoice & { readonly engine: EngineName },
  options: ProbeOptions,
): Promise<EngineProbe> {
  const { steps, signal, onStep, timeoutMs = 120_000 } = options;
  signal.throwIfAborted();
  const child = fork(entryFile(), [], {
    execPath: process.execPath,
    execArgv: [...(options.execArgv ?? process.execArgv)],
    env: engineEnvironment(choice, process.env),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  const late = setTimeout(kill, timeoutMs);
  const started = performance.now();
  child.send({ ...choice, steps } satisfies ToProbe, () => undefined);
  const answer = await answerOf(child, onStep);
  clearTimeout(late);
  signal.removeEventListener('abort', kill);
  signal.throwIfAborted();
  if (answer.kind === 'found') {
    const { device, gradientNorm, stepMs } = answer;
    const { engine } = choice;
    return { engine, works: true, device, gradientNorm, medianMs: median(stepMs) };
  }
  const isLate = answer.code === 'CRASHED' && performance.now() - started >= timeoutMs;
  return {
    engine: choice.engine,
    works: false,
    code: isLate ? 'TIMEOUT' : answer.code,
    reason: isLate ? `no answer within ${timeoutMs / 1000} s` : answer.message,
  };
}

/** What the process said, or how it ended without a word. Resolves when it is gone. */
function answerOf(
  child: ChildProcess,
  onStep: (step: number) => void,
): Promise<Exclude<FromProbe, { kind: 'step' }>> {
  return new Promise((resolve) => {
    let answer: Exclude<FromProbe, { kind: 'step' }> | null = null;
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-300);
    });
    child.on('message', (message) => {
      const said = message as FromProbe;
      if (said.kind === 'step') {
        onStep(said.step);
        return;
      }
      answer = said;
      child.kill('SIGKILL');
    });
    const end = (how: string): void =>
      resolve(answer ?? { kind: 'failed', code: 'CRASHED', message: how });
    child.on('error', (cause) => end(`could not be started: ${cause.message}`));
    child.on('close', (code, signal) => {
      end(`the process ended with ${signal ?? `status ${code}`}${complaint && `: ${complaint}`}`);
    });
  });
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? half - 1 : half], sorted[half]];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

/** The sibling entry: a .ts file when run from sources, a .js file when built. */
function entryFile(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./engine-probe-process.${extension}`, import.meta.url));
}
