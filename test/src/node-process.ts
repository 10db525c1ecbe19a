import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Status } from '@consilium/node';
import { cliArguments } from './command-line.ts';

/** How long anything that must happen may take on a machine that is busy with other work. */
const patienceMs = 120_000;

/** A site's node in a process of its own, over all its lives. What it prints goes to `logFile`, `node.log` in its folder by default. */
export class NodeProcess {
  readonly folder: string;
  readonly #logFile: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | null = null;
  #ended: Promise<number | null> = Promise.resolve(null);
  #stderr = '';

  /** `env` is added to this process's own. */
  constructor(
    folder: string,
    logFile: string = join(folder, 'node.log'),
    env: Readonly<Record<string, string>> = {},
  ) {
    this.folder = folder;
    this.#logFile = logFile;
    this.#env = env;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** What this life has said on standard error. */
  get stderr(): string {
    return this.#stderr;
  }

  /** `words` go behind `start`. */
  start(...words: string[]): void {
    const log = createWriteStream(this.#logFile, { flags: 'a' });
    const child = spawn(
      process.execPath,
      [...cliArguments, 'start', ...words, '--folder', this.folder],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...this.#env },
      },
    );
    this.#child = child;
    this.#stderr = '';
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#ended = new Promise((resolve) => {
      child.once('close', (code) => {
        if (this.#child === child) this.#child = null;
        log.end();
        resolve(code);
      });
    });
  }

  /** Ends the process and waits for its end; `SIGKILL` gives it no chance to tidy up. Resolves to the exit code, null when killed. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    this.#child?.kill(signal);
    return this.#ended;
  }

  /** Waits until the node ends by itself. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Asks the node's own HTTP server; null while it does not run or does not answer yet. */
  async ask(path: string): Promise<string | null> {
    const child = this.#child;
    if (child === null) return null;
    try {
      const { http, pid } = JSON.parse(await readFile(join(this.folder, 'node.json'), 'utf8')) as {
        http: string;
        pid: number;
      };
      // The file of the life before says where nobody listens any more, or, by now, somebody else.
      if (pid !== child.pid) return null;
      const answer = await fetch(`${http}${path}`, { signal: AbortSignal.timeout(20_000) });
      return await answer.text();
    } catch (error) {
      // Starting up, or just killed: the file or the listener is not there, or went away. Whoever waits asks again.
      if (error instanceof Error) return null;
      throw error;
    }
  }

  async status(): Promise<Status | null> {
    const answer = await this.ask('/status');
    return answer === null ? null : (JSON.parse(answer) as Status);
  }
}

/**
 * Asks until the answer is neither null nor false, and returns it.
 * @throws when `what` has not come true after {@link patienceMs}.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | null | false> | T | null | false,
  pauseMs = 100,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await delay(pauseMs);
  }
}
