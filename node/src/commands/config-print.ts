import { loadConfig, printConfig } from '../config.ts';
import { NodeError } from '../error.ts';
import type { Command } from './command.ts';

export const configPrint: Command = {
  usage: 'config print --effective',
  summary: 'print the configuration with every default filled in',
  options: { effective: { type: 'boolean' }, json: { type: 'boolean' } },
  positionals: 0,
  async run({ folder, options, print }) {
    if (options['effective'] !== true)
      throw new NodeError(
        'USAGE',
        'only the effective configuration can be printed',
        'add --effective',
      );
    const config = await loadConfig(folder.config);
    print(
      options['json'] === true ? JSON.stringify(config, null, 2) : printConfig(config).trimEnd(),
    );
  },
};
