import { privacyLines } from '../privacy-view.ts';
import { statusNow } from '../status-now.ts';
import type { Status } from '../views.ts';
import { witnessingLines } from '../witnessing/witnessing-view.ts';
import type { Command } from './command.ts';

export const status: Command = {
  usage: 'status',
  summary: 'show the study, its rounds and members, and the model’s digest',
  options: { json: { type: 'boolean' } },
  positionals: 0,
  async run({ folder, options, print }) {
    const { status: now, isRunning } = await statusNow(folder);
    if (options['json'] === true) print(JSON.stringify(now, null, 2));
    else for (const line of statusLines(now, isRunning)) print(line);
  },
};

function* statusLines(now: Status, isRunning: boolean): Iterable<string> {
  yield `site      ${now.site.name} (${now.site.role}) ${now.site.id}`;
  yield `study     ${now.study.name} (${now.study.id.slice(0, 16)}…)`;
  yield* privacyLines(now.privacy);
  yield `node      ${isRunning ? activityText(now) : 'not running'}`;
  yield `rounds    ${now.rounds.settled} of ${now.rounds.count} settled`;
  yield now.state === null
    ? 'state     not here yet'
    : `state     ${now.state.digest}${now.state.complete ? '' : ' (payloads are missing)'}`;
  for (const { name, role, round, connected, spending } of now.members) {
    const link = connected === null ? '' : connected ? 'connected' : 'NOT CONNECTED';
    const spent = spending === null ? '' : `ε ${spending.epsilon.toFixed(2)}`;
    const columns = [name.padEnd(20), role.padEnd(10), `round ${String(round).padStart(4)} `];
    yield `  ${columns.join(' ')} ${spent.padEnd(now.privacy.policy === null ? 0 : 8)} ${link}`;
  }
  for (const { round, sites } of now.rounds.absent.slice(-5))
    yield `absent    round ${round}: ${sites.join(', ')}`;
  yield* witnessingLines(now.witnesses);
  for (const { code, round, message } of now.localFindings)
    yield `here      ${code} round ${round}, abandoned: ${message}`;
  for (const { code, site, index, message } of now.findings)
    yield `finding   ${code} ${site?.slice(-8) ?? ''} ${index ?? ''}: ${message}`;
}

function activityText({ activity }: Status): string {
  if (activity === null) return 'running';
  const share =
    activity.total > 0 ? `, ${Math.floor((100 * activity.done) / activity.total)} %` : '';
  return `${activity.kind}${activity.round > 0 ? ` (round ${activity.round}${share})` : ''}`;
}
