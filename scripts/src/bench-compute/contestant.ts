import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { EngineName } from '@consilium/compute';
import type { Assignment, Greeting, Turn } from './assignment.ts';

/** Who can be asked to run a case: this package with one of its engines, or PyTorch. */
export type ContestantKind = EngineName | 'torch';

/** A process that has built one case and waits to be asked. */
export interface Contestant {
  readonly kind: ContestantKind;
  readonly greeting: Greeting;
  /** @throws {Error} when the process ends instead, with what it said on stderr. */
  run(runs: number): Promise<Turn>;
  /** Ends the process and waits for it. May be called again. */
  close(): Promise<void>;
}

// Debian's packages for Python live here, whatever comes first on the PATH.
const python = '/usr/bin/python3';

/** Whether PyTorch can take part on this machine. */
export function hasTorch(): boolean {
  const find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
  return spawnSync(python, ['-c', find], { stdio: 'ignore' }).status === 0;
}

/** Of what a process said on stderr, the end is kept: so many characters. */
const mostWords = 4000;

/** @throws {Error} when the process ends before it is ready, with what it said on stderr. */
export async function startContestant(
  kind: ContestantKind,
  assignment: Assignment,
): Promise<Contestant> {
  const [command, ...args] = commandOf(kind);
  const child = spawn(command, args, {
    stdio: 'pipe',
    env: { ...process.env, OMP_NUM_THREADS: String(assignment.threads) },
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    words = `${words}${chunk}`.slice(-mostWords);
  });
  const ended = once(child, 'close').catch((error: unknown) => {
    words = String(error); // The command could not be started.
  });
  child.stdin.on('error', () => {}); // Writing to a process that ended fails; its answer, which is missing, tells.
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async <T>(message: unknown): Promise<T> => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    const answer = await lines.next();
    if (answer.done) {
      await ended;
      throw new Error(`${kind} ended early: ${words.trim() || 'it said nothing'}`);
    }
    return JSON.parse(answer.value);
  };
  return {
    kind,
    greeting: await ask<Greeting>(assignment),
    run: (runs) => ask<Turn>({ runs }),
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

function commandOf(kind: ContestantKind): [command: string, ...args: string[]] {
  if (kind === 'torch') {
    return [python, fileURLToPath(new URL('./torch-contestant.py', import.meta.url))];
  }
  const entry = fileURLToPath(new URL('./engine-contestant.ts', import.meta.url));
  return [process.execPath, ...process.execArgv, entry, kind];
}
