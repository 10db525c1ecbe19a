import { writeFile } from 'node:fs/promises';
import { type WeightsFormat, weightsMediaTypes } from '@consilium/client';
import { withQueries } from '../api/queries-here.ts';
import { stateArgument } from '../api/state-argument.ts';
import { usage } from '../usage.ts';
import { type Command, type Invocation, textOption } from './command.ts';

const form =
  'model export --out FILE [--format safetensors|onnx|npz|payload] [--card] [--state DIGEST | --round R]';

export const modelExport: Command = {
  usage: form,
  summary: 'write a state’s model with its lineage, and with --card what it is and is not for',
  options: {
    out: { type: 'string' },
    format: { type: 'string' },
    card: { type: 'boolean' },
    state: { type: 'string' },
    round: { type: 'string' },
  },
  positionals: 0,
  async run(invocation) {
    const { folder, options, print, write } = invocation;
    const format = formatOf(invocation);
    const wanted = stateOf(invocation);
    const out = textOption(invocation, 'out');
    if (out === undefined) throw usage('a file to write is needed; - is standard output', form);
    if (out === '-' && options['card'] === true) throw usage('a card needs a file beside it', form);
    await withQueries(folder, async (queries) => {
      // The digest, so that file and card are of one state also while others come.
      const { digest } = await queries.state(await stateArgument(queries, wanted));
      const { bytes } = await queries.file(digest, format);
      if (out === '-') {
        await write(bytes);
        return;
      }
      await writeFile(out, bytes);
      print(`${out}: ${bytes.length} bytes. Research use only: not a medical device.`);
      if (options['card'] !== true) return;
      await writeFile(`${out}.md`, await queries.card(digest));
      print(`${out}.md: the model card`);
    });
  },
};

function formatOf(invocation: Invocation): WeightsFormat {
  const format = textOption(invocation, 'format') ?? 'safetensors';
  if (Object.hasOwn(weightsMediaTypes, format)) return format as WeightsFormat;
  throw usage(`format ${format} is not known`, form);
}

function stateOf(invocation: Invocation): string {
  const state = textOption(invocation, 'state');
  const round = textOption(invocation, 'round');
  if (state !== undefined && round !== undefined) throw usage('--state or --round, not both', form);
  if (round !== undefined && !/^(?:0|[1-9]\d{0,5})$/.test(round)) {
    throw usage(`--round needs a whole number, got ${round}`, form);
  }
  return state ?? (round === undefined ? 'latest' : `round:${round}`);
}
