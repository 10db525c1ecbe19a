import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(import.meta.resolve('@consilium/node/cli'));

/** Arguments that run the command line from its sources in a process of its own. */
export const cliArguments: readonly string[] = ['--conditions=@consilium/source', cli];

/** How a command ended; `code` is null when it was killed. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command as a person would. A command that takes longer than `limitMs` is killed. */
export async function consilium(words: readonly string[], limitMs = 60_000): Promise<Ended> {
  const child = spawn(process.execPath, [...cliArguments, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, ...output };
}

/** Runs a command that has to succeed, and returns what it printed. */
export async function succeed(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await consilium(words);
  if (code !== 0) throw new Error(`consilium ${words.join(' ')}: ${code}\n${stderr}`);
  return stdout.trim();
}
