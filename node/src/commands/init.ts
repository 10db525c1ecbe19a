import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { generateKey, saveKey } from '@consilium/records';
import { checkConfig, printConfig } from '../config.ts';
import { NodeError } from '../error.ts';
import { exists, writeDurably } from '../site-folder.ts';
import { type Command, textOption } from './command.ts';

export const init: Command = {
  usage: 'init --name NAME',
  summary: 'make a site: its key and its configuration',
  options: { name: { type: 'string' } },
  positionals: 0,
  async run(invocation) {
    const { folder, print } = invocation;
    if (await exists(folder.key)) {
      throw new NodeError(
        'FOLDER_EXISTS',
        `${folder.root} is a site already`,
        'name another folder with --folder; a key is never overwritten',
      );
    }
    const config = checkConfig(
      { name: textOption(invocation, 'name') ?? 'site' },
      'the new configuration',
    );
    await mkdir(folder.root, { recursive: true, mode: 0o700 });
    const key = generateKey(randomBytes);
    if (!(await exists(folder.config))) await writeDurably(folder.config, printConfig(config));
    await saveKey(folder.key, key);
    print(`site      ${key.id}`);
    print(`config    ${folder.config}`);
    print(
      `next      name your patients under data: in that file, and send the founder the line above`,
    );
  },
};
