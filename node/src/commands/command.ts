import type { ParseArgsOptionsConfig } from 'node:util';
import type { SiteFolder } from '../site-folder.ts';

/** What a command gets: its words and options, and a way to speak. */
export interface Invocation {
  readonly folder: SiteFolder;
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  /** One line, or several, on standard output. */
  print(text: string): void;
  /** Bytes on standard output, for pipes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Aborts on Ctrl-C and on SIGTERM. */
  readonly signal: AbortSignal;
}

/** One command of the command line. */
export interface Command {
  /** As a person types it, after `consilium`. */
  readonly usage: string;
  readonly summary: string;
  /** Beside `--folder` and `--help`, which every command has. */
  readonly options: ParseArgsOptionsConfig;
  readonly positionals: number;
  /** Further words that may be left out. @default 0 */
  readonly optionalPositionals?: number;
  run(invocation: Invocation): Promise<void>;
}

/** The value of a text option, or undefined when it was not given. */
export function textOption({ options }: Invocation, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
