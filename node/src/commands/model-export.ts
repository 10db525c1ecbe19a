import { writeFile } from 'node:fs/promises';
import { askNode } from '../ask-node.ts';
import { NodeError } from '../error.ts';
import { readJoined } from '../founding.ts';
import { openStores } from '../stores.ts';
import { modelFile, stateOnDisk } from '../views.ts';
import { type Command, textOption } from './command.ts';

export const modelExport: Command = {
  usage: 'model export --out FILE [--format safetensors]',
  summary: 'write the network’s model of now, with its lineage',
  options: { out: { type: 'string' }, format: { type: 'string' } },
  positionals: 0,
  async run(invocation) {
    const { folder, print, write } = invocation;
    const format = textOption(invocation, 'format') ?? 'safetensors';
    const out = textOption(invocation, 'out');
    if (format !== 'safetensors')
      throw new NodeError('USAGE', `format ${format} is not known`, 'use --format safetensors');
    if (out === undefined)
      throw new NodeError(
        'USAGE',
        'a file to write is needed',
        'add --out FILE, or --out - for standard output',
      );
    const bytes = (await askNode(folder, '/model.safetensors')) ?? (await onDisk());
    if (out === '-') await write(bytes);
    else {
      await writeFile(out, bytes);
      print(`${out}: ${bytes.length} bytes. Research use only: not a medical device.`);
    }

    async function onDisk(): Promise<Uint8Array> {
      const founding = await readJoined(folder);
      await using stores = await openStores(folder);
      return modelFile(await stateOnDisk(founding, stores.log, stores.blobs));
    }
  },
};
