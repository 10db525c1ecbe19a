import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import type { PartName, PartRow, PartSettings } from './part.ts';

/** How a child process ended, and what it had said until then. */
export interface Outcome<Row> {
  readonly rows: readonly Row[];
  readonly ended: 'done' | 'failed' | 'crashed' | 'out of time';
  /** What it said about it; empty when it is done. */
  readonly why: string;
  /** All it wrote to its standard error: the drivers' own words. */
  readonly words: string;
}

export interface RunInit {
  /** The environment of the process, whole. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** After so many seconds the process is killed. */
  readonly limitSeconds: number;
}

/** Runs one part in a process of its own: a driver that crashes or hangs takes only this part with it, and its rows so far are kept. */
export async function runPart<P extends PartName>(
  name: P,
  settings: PartSettings<P>,
  init: RunInit,
): Promise<Outcome<PartRow<P>>> {
  const script = `${import.meta.dirname}/part${import.meta.filename.slice(-3)}`;
  const args = [...process.execArgv, script, name, JSON.stringify(settings)];
  return runForRows(process.execPath, args, init, 3);
}

/** Runs a command that writes one JSON value a line to its file descriptor `rowsFd`, 1 or 3. */
export async function runForRows<Row>(
  command: string,
  args: readonly string[],
  { env, limitSeconds }: RunInit,
  rowsFd: 1 | 3,
): Promise<Outcome<Row>> {
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', rowsFd === 1 ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    timeout: limitSeconds * 1000,
    killSignal: 'SIGKILL',
  });
  const rows: Row[] = [];
  const began = performance.now();
  const out = child.stdio[rowsFd];
  const ends = Promise.all([
    new Promise<readonly [number | null, string | null]>((resolve) => {
      child.on('error', (error) => resolve([null, error.message]));
      child.on('exit', (code, signal) => resolve([code, signal]));
    }),
    child.stderr === null ? '' : text(child.stderr),
    out instanceof Readable ? readRows(out, rows) : undefined,
  ]);
  const [[code, signal], words] = await ends;
  if (code === 0) return { rows, ended: 'done', why: '', words };
  const seconds = (performance.now() - began) / 1000;
  if (signal === 'SIGKILL' && seconds >= limitSeconds) {
    return { rows, ended: 'out of time', why: `stopped after ${limitSeconds} s`, words };
  }
  const why = lastError(words);
  return code === null
    ? { rows, ended: 'crashed', why: [signal, why].filter(Boolean).join(': '), words }
    : { rows, ended: 'failed', why, words };
}

/** A line that was cut off by a crash is dropped. */
async function readRows<Row>(out: Readable, rows: Row[]): Promise<void> {
  for await (const line of createInterface({ input: out })) {
    try {
      rows.push(JSON.parse(line));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
}

/** The last line that names an error, without the decoration of consoles. */
function lastError(words: string): string {
  const lines = stripVTControlCharacters(words)
    .split('\n')
    .map((line) => line.trim());
  const named = lines.findLast((line) => /^\S*(Error|Exception)\b.*: /.test(line));
  return (named ?? lines.findLast((line) => line !== '') ?? '').slice(0, 400);
}
