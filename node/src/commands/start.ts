import type { Command } from './command.ts';

export const start: Command = {
  usage: 'start [--restore]',
  summary:
    'run the node until Ctrl-C; --restore takes this site’s own log back from the members after a lost disk',
  options: { restore: { type: 'boolean' } },
  positionals: 0,
  async run({ folder, signal, options }) {
    // Loaded here, so that the other commands do not wait for the network's many modules.
    const { runNode } = await import('../daemon.ts');
    await runNode(folder, signal, { isRestoring: options['restore'] === true });
  },
};
