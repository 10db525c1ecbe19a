import { chosenEngine, sourceWords } from '../chosen-engine.ts';
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
    const written = await loadConfig(folder.config);
    const { engine, source } = await chosenEngine(folder, process.env);
    const config = { ...written, compute: { ...written.compute, engine } };
    if (options['json'] === true) {
      print(JSON.stringify(config, null, 2));
      return;
    }
    if (source === 'environment') print(`# compute.engine comes from ${sourceWords[source]}`);
    print(printConfig(config).trimEnd());
  },
};
