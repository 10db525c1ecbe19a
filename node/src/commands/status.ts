import { loadKey } from '@consilium/records';
import { askNode } from '../ask-node.ts';
import { readJoined } from '../founding.ts';
import type { SiteFolder } from '../site-folder.ts';
import { openStores } from '../stores.ts';
import { type Status, stateOnDisk, statusOf } from '../views.ts';
import type { Command } from './command.ts';

export const status: Command = {
  usage: 'status',
  summary: 'show the study, its rounds and members, and the model’s digest',
  options: { json: { type: 'boolean' } },
  positionals: 0,
  async run({ folder, options, print }) {
    const answer = await askNode(folder, '/status');
    const now: Status =
      answer === null ? await statusOnDisk(folder) : JSON.parse(new TextDecoder().decode(answer));
    if (options['json'] === true) print(JSON.stringify(now, null, 2));
    else for (const line of statusLines(now, answer !== null)) print(line);
  },
};

async function statusOnDisk(folder: SiteFolder): Promise<Status> {
  const founding = await readJoined(folder);
  const { id } = await loadKey(folder.key);
  await using stores = await openStores(folder);
  const initial = Buffer.from(founding.manifest.initialWeights.digest).toString('hex');
  const state = (await stores.blobs.has(initial))
    ? await stateOnDisk(founding, stores.log, stores.blobs)
    : null;
  return statusOf(id, founding, state, null, () => null);
}

function* statusLines(now: Status, isRunning: boolean): Iterable<string> {
  yield `site      ${now.site.name} (${now.site.role}) ${now.site.id}`;
  yield `study     ${now.study.name} (${now.study.id.slice(0, 16)}…)`;
  yield `privacy   ${now.privacy.profile.toUpperCase()}: ${now.privacy.warning}`;
  yield `node      ${isRunning ? activityText(now) : 'not running'}`;
  yield `rounds    ${now.rounds.settled} of ${now.rounds.count} settled`;
  yield now.state === null
    ? 'state     not here yet'
    : `state     ${now.state.digest}${now.state.complete ? '' : ' (payloads are missing)'}`;
  for (const { name, role, round, connected } of now.members) {
    const link = connected === null ? '' : connected ? 'connected' : 'NOT CONNECTED';
    yield `  ${name.padEnd(20)} ${role.padEnd(10)} round ${String(round).padStart(4)}  ${link}`;
  }
  for (const { round, sites } of now.rounds.absent.slice(-5))
    yield `absent    round ${round}: ${sites.join(', ')}`;
  for (const { code, site, index, message } of now.findings)
    yield `finding   ${code} ${site?.slice(-8) ?? ''} ${index ?? ''}: ${message}`;
}

function activityText({ activity }: Status): string {
  if (activity === null) return 'running';
  const share =
    activity.total > 0 ? `, ${Math.floor((100 * activity.done) / activity.total)} %` : '';
  return `${activity.kind}${activity.round > 0 ? ` (round ${activity.round}${share})` : ''}`;
}
