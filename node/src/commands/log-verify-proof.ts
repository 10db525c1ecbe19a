import { readFile } from 'node:fs/promises';
import { readFounding, readJoined } from '../founding.ts';
import { summaryOf } from '../views.ts';
import { type Believed, provenRecord } from '../witnessing/proven-record.ts';
import { witnessCircle } from '../witnessing/witness-circle.ts';
import { witnessingNow } from '../witnessing/witnessing-now.ts';
import { type Command, type Invocation, textOption } from './command.ts';

export const logVerifyProof: Command = {
  usage: 'log verify-proof FILE [--study FOUNDING]',
  summary:
    'check a proof of a record offline: by the members that this site knows, or by a founding file and nothing else',
  options: { study: { type: 'string' }, json: { type: 'boolean' } },
  positionals: 1,
  async run(invocation) {
    const { positionals, options, print } = invocation;
    const bytes = new Uint8Array(await readFile(positionals[0] as string));
    const { record, size, cosignatures } = provenRecord(bytes, await believedBy(invocation));
    const { author, index, kind } = record.record;
    const id = Buffer.from(record.id).toString('hex');
    if (options['json'] === true) {
      print(JSON.stringify({ author, index, kind, id, size, cosignatures }, null, 2));
      return;
    }
    print(`record    ${index} of ${author}: ${kind}, ${summaryOf(record.record)}`);
    print(`id        ${id}`);
    print(`log       of ${size} records, signed by its author`);
    for (const { name, timestampSeconds } of cosignatures) {
      print(
        `witness   ${name}, at ${new Date(1000 * timestampSeconds).toISOString()} by its clock`,
      );
    }
  },
};

async function believedBy(invocation: Invocation): Promise<Believed> {
  const { folder } = invocation;
  const file = textOption(invocation, 'study');
  if (file !== undefined) {
    const { verified, manifest } = await readFounding(file);
    return { study: verified.id, ...witnessCircle(manifest, () => null) };
  }
  const { verified, manifest } = await readJoined(folder);
  const { logs } = await witnessingNow(folder);
  return {
    study: verified.id,
    witnessesOf: (author) => logs.find(({ site }) => site === author)?.witnesses ?? [],
    quorumOf: (author) =>
      logs.find(({ site }) => site === author)?.quorum ?? manifest.witnesses.quorum,
  };
}
