import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Status } from '@consilium/node';

const cli = fileURLToPath(import.meta.resolve('@consilium/node/cli'));

/** Runs the command line as a person would, and returns what it printed. @throws with its error and hint. */
export async function consilium(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...process.execArgv,
    cli,
    ...words,
  ]);
  return stdout.trim();
}

/** A node in a process of its own; its log goes to `node.log` in its folder. */
export class NodeProcess {
  readonly name: string;
  readonly folder: string;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();

  constructor(name: string, folder: string) {
    this.name = name;
    this.folder = folder;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  start(): void {
    const child = spawn(
      process.execPath,
      [...process.execArgv, cli, 'start', '--folder', this.folder],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const log = createWriteStream(`${this.folder}/node.log`, { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once('close', () => {
        if (this.#child === child) this.#child = null;
        log.end();
        resolve();
      });
    });
  }

  /** Ends the process and waits for its end; `SIGKILL` gives it no chance to tidy up. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal);
    await this.#ended;
  }

  /** What the node says of itself; null while it does not run or is not ready to answer. */
  async status(): Promise<Status | null> {
    if (!this.isRunning) return null;
    try {
      const { http } = JSON.parse(await readFile(`${this.folder}/node.json`, 'utf8')) as {
        http: string;
      };
      const answer = await fetch(`${http}/status`, { signal: AbortSignal.timeout(5_000) });
      return (await answer.json()) as Status;
    } catch (error) {
      // Starting up, or just killed: the file or the listener is not there. The watcher asks again.
      if (error instanceof Error) return null;
      throw error;
    }
  }
}

/** TCP ports of the loopback that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
