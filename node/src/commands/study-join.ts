import { readFile } from 'node:fs/promises';
import { loadKey } from '@consilium/records';
import { NodeError } from '../error.ts';
import { memberOf, readFounding } from '../founding.ts';
import { exists, writeDurably } from '../site-folder.ts';
import type { Command } from './command.ts';

export const studyJoin: Command = {
  usage: 'study join FILE',
  summary: 'join a study by the founding file that its founder handed out',
  options: { json: { type: 'boolean' } },
  positionals: 1,
  async run({ folder, positionals, options, print }) {
    const file = positionals[0] as string;
    const { id } = await loadKey(folder.key);
    const { verified, manifest } = await readFounding(file);
    const member = memberOf(manifest, id);
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
      print(JSON.stringify({ study, name: manifest.name, role: member.role }));
      return;
    }
    print(`study     ${manifest.name} (${study})`);
    print(`role      ${member.role} as ${member.name}`);
    print(`privacy   off: updates are NOT differentially private`);
    print('next      consilium start');
  },
};
