import { askNode } from '../ask-node.ts';
import { openStores } from '../stores.ts';
import { type LogLine, logLines } from '../views.ts';
import { witnessingNow } from '../witnessing/witnessing-now.ts';
import { splitViewLines } from '../witnessing/witnessing-view.ts';
import { type Command, textOption } from './command.ts';

export const logShow: Command = {
  usage: 'log show [--site ID]',
  summary: 'list the records that this site has, its own and everyone else’s',
  options: { site: { type: 'string' }, json: { type: 'boolean' } },
  positionals: 0,
  async run(invocation) {
    const { folder, options, print } = invocation;
    const site = textOption(invocation, 'site') ?? null;
    const answer = await askNode(
      folder,
      `/log${site === null ? '' : `?site=${encodeURIComponent(site)}`}`,
    );
    const lines: LogLine[] =
      answer === null ? await onDisk() : JSON.parse(new TextDecoder().decode(answer));
    if (options['json'] === true) {
      print(JSON.stringify(lines, null, 2));
      return;
    }
    for (const line of lines)
      print(
        `${line.author.slice(-8)} ${String(line.index).padStart(5)}  ${line.id.slice(0, 12)}  ${line.kind.padEnd(10)} ${line.summary}`,
      );
    for (const line of splitViewLines(await witnessingNow(folder))) print(line);

    async function onDisk(): Promise<LogLine[]> {
      await using stores = await openStores(folder);
      return await logLines(stores.log, site);
    }
  },
};
