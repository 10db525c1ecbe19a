import { formatVerifierKey } from '@consilium/log';
import { loadKey } from '@consilium/records';
import { logKeyOf, witnessKeyOf } from '@consilium/study';
import { NodeError } from '../error.ts';
import { readJoined } from '../founding.ts';
import { evidenceNow, siteNamed, witnessingNow } from '../witnessing/witnessing-now.ts';
import { type Command, textOption } from './command.ts';

export const logCheckpoint: Command = {
  usage: 'log checkpoint [--site SITE] [--json]',
  summary:
    'print the newest witnessed checkpoint of a log (default: this site’s own), as a C2SP note',
  options: { site: { type: 'string' }, json: { type: 'boolean' } },
  positionals: 0,
  async run(invocation) {
    const { folder, options, print, write } = invocation;
    const view = await witnessingNow(folder);
    const wanted = textOption(invocation, 'site') ?? (await loadKey(folder.key)).id;
    const site = siteNamed(wanted, view);
    const watched = view.logs.find((log) => log.site === site);
    if (site === undefined || watched === undefined || watched.witnessedSize === 0) {
      throw new NodeError(
        'NOT_WITNESSED',
        `no checkpoint of the log of ${wanted} is witnessed yet`,
        'see `consilium status` for how far each log is witnessed, and which members have to be connected',
      );
    }
    const note = await evidenceNow(folder, `/log/checkpoint?site=${site}`, (evidence) =>
      evidence.checkpoint(site),
    );
    if (options['json'] !== true) {
      await write(note);
      return;
    }
    const { verified } = await readJoined(folder);
    print(
      JSON.stringify(
        {
          note: new TextDecoder().decode(note),
          logKey: formatVerifierKey(logKeyOf(verified.id, site)),
          witnessKeys: watched.witnesses.map((witness) =>
            formatVerifierKey(witnessKeyOf(verified.id, witness.site)),
          ),
          quorum: watched.quorum,
        },
        null,
        2,
      ),
    );
  },
};
