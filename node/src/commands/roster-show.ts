import { isRemoved, termsNow } from '@consilium/study';
import { rosterHere } from '../roster-here.ts';
import { nameOf, type RosterView } from '../roster-view.ts';
import type { Command } from './command.ts';

export const rosterShow: Command = {
  usage: 'roster show',
  summary: 'show who is in the study, by which changes, and who has a say about the next one',
  options: { json: { type: 'boolean' } },
  positionals: 0,
  async run({ folder, options, print }) {
    const { view } = await rosterHere(folder);
    if (options['json'] === true) print(JSON.stringify(view, null, 2));
    else for (const line of lines(view)) print(line);
  },
};

function* lines({
  roster,
  speech,
  voters,
  needed,
  changes,
  findings,
}: RosterView): Iterable<string> {
  yield `roster    after ${roster.number} changes; the next one needs ${needed} of ${voters.length} approvals`;
  for (const member of roster.members) {
    const { role, patients } = termsNow(member);
    const keys = speech.find(({ site }) => site === member.site)?.keys ?? [];
    const columns = [
      member.name.padEnd(20),
      (isRemoved(member) ? 'REMOVED' : role).padEnd(10),
      `${patients} patients`.padEnd(16),
      keys.map(({ key, records }) => `${key} (${records} records)`).join(' → '),
    ];
    yield `  ${columns.join(' ')}`;
  }
  for (const { number, id, words } of changes) {
    yield `change    ${number} ${id.slice(0, 16)}: ${words.join('; ')}`;
  }
  for (const { code, site, index, message } of findings) {
    yield `finding   ${code} ${site === null ? '' : nameOf(site, roster)} record ${index}: ${message}`;
  }
}
