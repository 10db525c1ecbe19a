import { randomBytes } from 'node:crypto';
import { generateKey, loadKey, saveKey } from '@consilium/records';
import { NodeError } from '../error.ts';
import { readJoined } from '../founding.ts';
import { exists } from '../site-folder.ts';
import type { Command } from './command.ts';

export const identityRotate: Command = {
  usage: 'identity rotate',
  summary: 'make a new key for this site, which its node hands on to at its next start',
  options: { json: { type: 'boolean' } },
  positionals: 0,
  async run({ folder, options, print }) {
    await readJoined(folder);
    const { id: from } = await loadKey(folder.key);
    for (const path of [folder.nextKey, folder.oldKey]) {
      if (!(await exists(path))) continue;
      throw new NodeError(
        'FOLDER_EXISTS',
        `${path} is there from an earlier rotation`,
        path === folder.nextKey
          ? 'restart the node: it hands on to that key'
          : 'delete it once `consilium status` shows every member connected, then rotate again',
      );
    }
    const next = generateKey(randomBytes);
    await saveKey(folder.nextKey, next);
    if (options['json'] === true) {
      print(JSON.stringify({ from, to: next.id }));
      return;
    }
    print(`from      ${from}`);
    print(`to        ${next.id}`);
    print('next      restart the node: its old key says its last word, and the new one speaks');
    print('          if the old key may be stolen, let the members approve the new one as well:');
    print(`          consilium roster propose --rotate SITE --to ${next.id} --out FILE`);
  },
};
