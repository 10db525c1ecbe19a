import { loadKey } from '@consilium/records';
import type { Command } from './command.ts';

export const identityShow: Command = {
  usage: 'identity show',
  summary: 'print the site’s public name, for a founder’s roster',
  options: { json: { type: 'boolean' } },
  positionals: 0,
  async run({ folder, options, print }) {
    const { id } = await loadKey(folder.key);
    print(options['json'] === true ? JSON.stringify({ id }) : id);
  },
};
