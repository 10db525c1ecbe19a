import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NodeError } from '../error.ts';
import { checkApproved, checkFits } from '../roster-check.ts';
import { readRosterFile, writeRosterFile } from '../roster-file.ts';
import { rosterHere } from '../roster-here.ts';
import { changeIdOf, changeWords } from '../roster-view.ts';
import { exists, type SiteFolder } from '../site-folder.ts';
import type { Command } from './command.ts';

/** How long a running node has to take up what was laid out: it looks every second. */
const patienceMs = 30_000;

export const rosterCommit: Command = {
  usage: 'roster commit FILE',
  summary: 'let this site’s node say an approved change, now or when it next runs',
  options: { json: { type: 'boolean' } },
  positionals: 1,
  async run({ folder, positionals: [path = ''], options, print, signal }) {
    const file = await readRosterFile(path);
    const { founding, view, isRunning } = await rosterHere(folder);
    const id = changeIdOf(file.study, file.body);
    const isSaid = view.changes.some((change) => change.id === id);
    if (!isSaid) {
      checkFits(file, founding, view.roster);
      checkApproved(file, view.roster, view.needed);
      // Signed by the node alone, which first asks the members for what it may have said before.
      await mkdir(folder.outbox, { recursive: true, mode: 0o700 });
      await writeRosterFile(join(folder.outbox, `${id}.cbor`), file);
      if (isRunning) await takenUp(folder, id, signal);
    }
    const outcome = isSaid ? 'applies already' : isRunning ? 'said' : 'laid out for the next start';
    if (options['json'] === true) print(JSON.stringify({ id, number: file.body.number, outcome }));
    else {
      for (const line of changeWords(file.body.change, view.roster)) print(line);
      print(`change    ${file.body.number} ${id.slice(0, 16)}: ${outcome}`);
    }
  },
};

async function takenUp(folder: SiteFolder, id: string, signal: AbortSignal): Promise<void> {
  const path = join(folder.outbox, `${id}.cbor`);
  for (let waitedMs = 0; await exists(path); waitedMs += 200) {
    if (waitedMs >= patienceMs) {
      throw new NodeError(
        'STUDY_MISSING',
        'the node has not said the change yet: it may not have reached a member',
        'it does so as soon as it can; `consilium status` shows what it is at',
      );
    }
    await delay(200, undefined, { signal });
  }
  if (!(await exists(`${path}.refused`))) return;
  throw new NodeError(
    'ROSTER_FILE',
    'the node refused the change: the roster has changed meanwhile',
    'the node’s log tells more; let the change be proposed again',
  );
}
