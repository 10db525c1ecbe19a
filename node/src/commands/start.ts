import type { Command } from './command.ts';

export const start: Command = {
  usage: 'start',
  summary: 'run the node until Ctrl-C; logs go to standard output as JSON lines',
  options: {},
  positionals: 0,
  async run({ folder, signal }) {
    // Loaded here, so that the other commands do not wait for the network's many modules.
    const { runNode } = await import('../daemon.ts');
    await runNode(folder, signal);
  },
};
