import { NodeError } from '../error.ts';
import { writeDurably } from '../site-folder.ts';
import { evidenceNow, siteNamed, witnessingNow } from '../witnessing/witnessing-now.ts';
import { type Command, textOption } from './command.ts';

export const logProve: Command = {
  usage: 'log prove SITE INDEX [--out FILE]',
  summary: 'write a C2SP proof that a record is in its author’s log, for others to check offline',
  options: { out: { type: 'string' } },
  positionals: 2,
  async run(invocation) {
    const { folder, positionals, print, write } = invocation;
    const [wanted = '', place = ''] = positionals;
    if (!/^(0|[1-9][0-9]{0,9})$/.test(place)) {
      throw new NodeError(
        'USAGE',
        `${place} is not the index of a record`,
        'consilium log prove SITE INDEX; `consilium log show` lists both',
      );
    }
    const index = Number(place);
    const view = await witnessingNow(folder);
    const site = siteNamed(wanted, view);
    const witnessed = view.logs.find((log) => log.site === site)?.witnessedSize ?? 0;
    if (site === undefined || index >= witnessed) {
      throw new NodeError(
        'NOT_WITNESSED',
        `of the log of ${wanted}, ${witnessed} records are witnessed, and not record ${index}`,
        'see `consilium status` for how far each log is witnessed, and which members have to be connected',
      );
    }
    const proof = await evidenceNow(folder, `/log/proof?site=${site}&index=${index}`, (evidence) =>
      evidence.prove(site, index),
    );
    const out = textOption(invocation, 'out');
    if (out === undefined) {
      await write(proof);
      return;
    }
    await writeDurably(out, proof);
    print(
      `proof     ${out}: whoever has the founding file can check it with \`consilium log verify-proof\``,
    );
  },
};
