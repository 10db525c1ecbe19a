import { runNode } from '../daemon.ts';
import type { Command } from './command.ts';

export const start: Command = {
  usage: 'start',
  summary: 'run the node until Ctrl-C; logs go to standard output as JSON lines',
  options: {},
  positionals: 0,
  run: ({ folder, signal }) => runNode(folder, signal),
};
