import type { RosterChange, SiteId, SiteRole } from '@consilium/records';
import { type Member, openKey, termsNow } from '@consilium/study';
import { NodeError } from '../error.ts';
import { checkFits } from '../roster-check.ts';
import { writeRosterFile } from '../roster-file.ts';
import { rosterHere } from '../roster-here.ts';
import { changeIdOf, changeWords, type RosterView } from '../roster-view.ts';
import { usage } from '../usage.ts';
import { type Command, type Invocation, textOption } from './command.ts';

const form =
  'roster propose (--add NAME --site ID [--role ROLE] [--patients N] [--address A,…] | --remove SITE | --rotate SITE --to ID | --role ROLE --of SITE [--patients N] | --cap N --of SITE) --out FILE';

export const rosterPropose: Command = {
  usage: form,
  summary: 'write a change of the roster for the members to approve; SITE is a name or an id',
  options: {
    add: { type: 'string' },
    remove: { type: 'string' },
    rotate: { type: 'string' },
    cap: { type: 'string' },
    role: { type: 'string' },
    of: { type: 'string' },
    site: { type: 'string' },
    to: { type: 'string' },
    patients: { type: 'string' },
    address: { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean' },
  },
  positionals: 0,
  async run(invocation) {
    const { folder, print, options } = invocation;
    const out = needed(invocation, 'out');
    const { founding, view } = await rosterHere(folder);
    const { roster } = view;
    const change = changeOf(invocation, view);
    const previous = Buffer.from(roster.last, 'hex');
    const body = { number: roster.number + 1, previous, change, approvals: [] };
    const file = { study: founding.verified.id, body };
    checkFits(file, founding, roster);
    await writeRosterFile(out, file);
    const words = changeWords(change, roster);
    if (options['json'] === true) {
      print(
        JSON.stringify({ file: out, id: changeIdOf(file.study, body), number: body.number, words }),
      );
      return;
    }
    for (const line of words) print(line);
    print(
      `file      ${out}: ${view.needed} of ${view.voters.length} must approve it, this site too:`,
    );
    print(`next      consilium roster approve ${out}`);
  },
};

function changeOf(invocation: Invocation, view: RosterView): RosterChange {
  const asked = ['add', 'remove', 'rotate', 'cap'].filter((name) => textOption(invocation, name));
  const role = textOption(invocation, 'role');
  if (asked.length > 1) throw usage(`one change at a time, not ${asked.join(' and ')}`, form);
  switch (asked[0]) {
    case 'add':
      return added(invocation);
    case 'remove': {
      const { site } = memberOf(view, needed(invocation, 'remove'));
      return { kind: 'remove', site, until: endOf(view, site) };
    }
    case 'rotate': {
      const { site } = memberOf(view, needed(invocation, 'rotate'));
      const spentSteps = view.speech.find((each) => each.site === site)?.spentSteps ?? 0;
      const to = needed(invocation, 'to');
      return { kind: 'rotate', site, until: endOf(view, site), to, spentSteps };
    }
    case 'cap': {
      const { site } = memberOf(view, needed(invocation, 'of'));
      return { kind: 'cap', site, patients: count(invocation, 'cap'), from: nextOf(view, site) };
    }
    default: {
      if (role === undefined) throw usage('say what to change', form);
      const { site } = memberOf(view, needed(invocation, 'of'));
      const patients = role === 'trainer' ? count(invocation, 'patients') : 0;
      return { kind: 'role', site, role: roleOf(role), patients, from: nextOf(view, site) };
    }
  }
}

function added(invocation: Invocation): RosterChange {
  const role = roleOf(textOption(invocation, 'role') ?? 'trainer');
  const addresses = textOption(invocation, 'address')?.split(',') ?? [];
  const entry = {
    site: needed(invocation, 'site'),
    name: needed(invocation, 'add'),
    role,
    patients: role === 'trainer' ? count(invocation, 'patients') : 0,
    addresses,
  };
  return { kind: 'add', entry };
}

/** Where the keys that speak for a member end, if it ends with what is here. */
function endOf(view: RosterView, site: SiteId): { key: SiteId; at: number }[] {
  const member = memberOf(view, site);
  const keys = view.speech.find((each) => each.site === site)?.keys ?? [];
  const first = keys.findIndex(({ key }) => key === openKey(member));
  return keys.slice(Math.max(0, first)).map(({ key, records }) => ({ key, at: records }));
}

/** The record that a member has not said yet, by what is here. */
function nextOf(view: RosterView, site: SiteId): { key: SiteId; at: number } {
  const end = endOf(view, site).at(-1);
  return end ?? { key: site, at: 0 };
}

/** @throws {NodeError} `USAGE` unless the words name just one member. */
function memberOf({ roster }: RosterView, words: string): Member {
  const named = roster.members.filter(({ site, name }) => site === words || name === words);
  const present = named.filter((member) => openKey(member) !== null);
  const [member, second] = present.length > 0 ? present : named;
  if (member !== undefined && second === undefined) return member;
  throw new NodeError(
    'USAGE',
    `${named.length} members are called ${words}`,
    `name one by its id: ${roster.members.map((each) => `${each.name} ${termsNow(each).role} ${each.site}`).join(', ')}`,
  );
}

function roleOf(text: string): SiteRole {
  if (text === 'trainer' || text === 'validator' || text === 'observer') return text;
  throw usage(`role ${text} is not known`, 'one of trainer, validator, observer');
}

function needed(invocation: Invocation, option: string): string {
  const text = textOption(invocation, option);
  if (text === undefined) throw usage(`--${option} is needed`, form);
  return text;
}

function count(invocation: Invocation, option: string): number {
  const value = Number(needed(invocation, option));
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw usage(`--${option} needs a whole number above 0`, form);
}
