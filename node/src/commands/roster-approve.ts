import {
  approveRosterChange,
  type RosterChange,
  type SiteId,
  type SiteKey,
} from '@consilium/records';
import { approvers, openKey } from '@consilium/study';
import { rememberApproval } from '../approval-memory.ts';
import { NodeError } from '../error.ts';
import { checkFits } from '../roster-check.ts';
import { readRosterFile, writeRosterFile } from '../roster-file.ts';
import { rosterHere } from '../roster-here.ts';
import { changeIdOf, changeWords, type RosterView } from '../roster-view.ts';
import { loadSiteKeys, type SiteKeys } from '../site-keys.ts';
import { type Command, textOption } from './command.ts';

export const rosterApprove: Command = {
  usage: 'roster approve FILE [--yes] [--instead-of CHANGE]',
  summary: 'tell in words what a change does, and with --yes add this site’s signature to it',
  options: {
    yes: { type: 'boolean' },
    'instead-of': { type: 'string' },
    json: { type: 'boolean' },
  },
  positionals: 1,
  async run(invocation) {
    const { folder, positionals, options, print } = invocation;
    const [path = ''] = positionals;
    const file = await readRosterFile(path);
    const { founding, view } = await rosterHere(folder);
    const { study, body } = file;
    checkFits(file, founding, view.roster);
    const id = changeIdOf(study, body);
    const words = changeWords(body.change, view.roster);
    const tell = (names: readonly string[]): void => {
      if (options['json'] === true) {
        print(JSON.stringify({ file: path, id, number: body.number, words, approvedBy: names }));
        return;
      }
      for (const line of words) print(line);
      print(`change    ${body.number} of ${founding.manifest.name}: ${id}`);
      print(`approved  ${names.length} of ${view.needed} needed: ${names.join(', ') || 'nobody'}`);
    };
    if (options['yes'] !== true) {
      tell(approvers(study, body, view.roster).map(({ name }) => name));
      print(`next      consilium roster approve ${path} --yes, to sign it`);
      return;
    }
    const { number, previous, change } = body;
    const { key, others, rotations } = signerOf(await loadSiteKeys(folder), change, view);
    const name = `${Buffer.from(study).toString('hex')} ${number}`;
    await rememberApproval(
      folder.approvals,
      name,
      id,
      textOption(invocation, 'instead-of') ?? null,
    );
    const own = approveRosterChange(key, study, { number, previous, change }, rotations);
    const approvals = [...body.approvals.filter(({ site }) => !others.includes(site)), own].sort(
      (a, b) => (a.site < b.site ? -1 : 1),
    );
    const signed = { ...body, approvals };
    await writeRosterFile(path, { study, body: signed });
    tell(approvers(study, signed, view.roster).map((member) => member.name));
    if (options['json'] !== true)
      print(`next      consilium roster commit ${path}, once enough have signed`);
  },
};

interface Signer {
  readonly key: SiteKey;
  /** Keys whose approval this one's replaces. */
  readonly others: readonly SiteId[];
  /** What leads from the key that the roster names for this site to the one that it signs with. */
  readonly rotations: readonly Uint8Array[];
}

/**
 * The key with which this site signs a change: the one that the change hands on to, or else the one that speaks for it.
 * @throws {NodeError} `NOT_IN_ROSTER` when it has no say.
 */
function signerOf(
  { latest, earlier }: SiteKeys,
  change: RosterChange,
  { roster, speech, voters }: RosterView,
): Signer {
  if (change.kind === 'rotate' && change.to === latest.id) {
    return { key: latest, others: [latest.id], rotations: [] };
  }
  for (const key of earlier === null ? [latest] : [latest, earlier]) {
    const own = speech.find(({ keys }) => keys.at(-1)?.key === key.id);
    const member = roster.members.find(({ site }) => site === own?.site);
    if (own === undefined || member === undefined || !voters.includes(member.site)) continue;
    const first = own.keys.findIndex((each) => each.key === openKey(member));
    const rotations = own.keys
      .slice(first, -1)
      .flatMap(({ rotation }) => (rotation === null ? [] : [Buffer.from(rotation, 'hex')]));
    return { key, others: own.keys.map((each) => each.key), rotations };
  }
  throw new NodeError(
    'NOT_IN_ROSTER',
    'this site has no say about the roster: only trainers and validators approve changes',
    'let the members that have one approve; `consilium roster show` lists them',
  );
}
