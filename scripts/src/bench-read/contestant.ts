import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** How slices are handed to a network. */
export interface Form {
  readonly batch: number;
  readonly channelsLast: boolean;
}

/** Milliseconds: by the clock, and of processor time, which a busy machine does not stretch as much. */
export interface ReadTime {
  readonly wall: number;
  readonly cpu: number;
}

/** A process that reads slices when told. */
export interface Contestant {
  readonly name: string;
  readonly parameters: number;
  read(slices: number, form: Form): Promise<ReadTime>;
  /** The most memory that the process has had so far (VmHWM), where the system tells. */
  peakMb(): number | null;
  close(): Promise<void>;
}

/** Starts a process that speaks as bench-read-torch.py; undefined when it ends before it has said who it is. */
export async function startContestant(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Contestant | undefined> {
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  });
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hello = await lines.next();
  if (hello.done) return undefined;
  const { name, parameters }: { name: string; parameters: number } = JSON.parse(hello.value);
  return {
    name,
    parameters,
    async read(slices, form) {
      child.stdin.write(`${JSON.stringify({ slices, ...form })}\n`);
      const answer = await lines.next();
      if (answer.done) throw new Error(`${name} ended early`);
      return JSON.parse(answer.value);
    },
    peakMb: () => peakOf(child),
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

function peakOf({ pid }: ChildProcess): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
    return kib === undefined ? null : Number(kib) / 1024;
  } catch {
    return null; // Only Linux has it.
  }
}
