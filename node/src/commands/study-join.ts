import { readFile } from 'node:fs/promises';
import { loadKey } from '@consilium/records';
import { NodeError } from '../error.ts';
import { memberOf, readFounding } from '../founding.ts';
import { privacyLines, privacyOf } from '../privacy-view.ts';
import { exists, writeDurably } from '../site-folder.ts';
import type { Command } from './command.ts';

export const studyJoin: Command = {
  usage: 'study join FILE [--added]',
  summary: 'join a study by the founding file that its founder handed out',
  options: {
    /** For a site that a change of the roster adds, or gives a new key: the founding file does not name it. */
    added: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  positionals: 1,
  async run({ folder, positionals, options, print }) {
    const file = positionals[0] as string;
    const { id } = await loadKey(folder.key);
    const { verified, manifest } = await readFounding(file);
    const { role, name } =
      options['added'] === true ? { role: 'by a change', name: id } : memberOf(manifest, id);
    const bytes = await readFile(file);
    if ((await exists(folder.study)) && !bytes.equals(await readFile(folder.study))) {
      throw new NodeError(
        'STUDY_EXISTS',
        `${folder.root} is in another study`,
        'use a site folder of its own for each study',
      );
    }
    await writeDurably(folder.study, bytes);
    const study = Buffer.from(verified.id).toString('hex');
    if (options['json'] === true) {
      print(JSON.stringify({ study, name: manifest.name, role }));
      return;
    }
    print(`study     ${manifest.name} (${study})`);
    print(`role      ${role} as ${name}`);
    for (const line of privacyLines(privacyOf(manifest))) print(line);
    print('next      consilium start');
  },
};
