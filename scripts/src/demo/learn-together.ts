import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '@consilium/node';
import type { DemoPlan } from './plan.ts';
import type { NodeProcess } from './processes.ts';
import { type Screen, siteLines } from './screen.ts';

/** How the network phase ended: each process's last word. */
export interface Learnt {
  readonly statuses: ReadonlyMap<string, Status>;
  readonly killedAndBack: string;
}

/** How many rounds the others go on without the killed hospital before it is started again. */
const roundsAway = 2;

/**
 * Starts every process, kills one hospital on the way (SIGKILL: no chance to tidy up), starts it again two rounds later, and waits until every trainer has
 * given its last round, every process holds the same model, and every site that can publish figures has evaluated it.
 *
 * @throws when a process ends by itself, or `signal` aborts.
 */
export async function learnTogether(
  plan: DemoPlan,
  nodes: readonly NodeProcess[],
  screen: Screen,
  signal: AbortSignal,
): Promise<Learnt> {
  const victim = nodes.find(({ name }) => name === plan.killed) as NodeProcess;
  let victimState: 'before' | 'away' | 'back' = 'before';
  for (const node of nodes) node.start();
  for (;;) {
    await sleep(500, undefined, { signal });
    const statuses = new Map(
      await Promise.all(nodes.map(async (node) => [node.name, await node.status()] as const)),
    );
    screen.show(siteLines(statuses, plan.rounds));
    const lost = nodes.find(
      (node) => !node.isRunning && !(node === victim && victimState === 'away'),
    );
    if (lost !== undefined)
      throw new Error(`${lost.name} has ended by itself; see ${lost.folder}/node.log`);
    const others = [...statuses]
      .filter(([name]) => name !== victim.name)
      .map(([, status]) => status);
    const settled = Math.max(...others.map((status) => status?.rounds.settled ?? 0));
    const isTraining = statuses.get(victim.name)?.activity?.kind === 'training';
    if (victimState === 'before' && settled >= plan.killAfterRound && isTraining) {
      await victim.end('SIGKILL');
      victimState = 'away';
      screen.say(
        `\n  ✗ ${victim.name} was killed (SIGKILL) in the middle of round ${settled + 1}; the others go on\n`,
      );
    } else if (victimState === 'away' && settled >= plan.killAfterRound + roundsAway) {
      victim.start();
      victimState = 'back';
      screen.say(
        `\n  ✓ ${victim.name} is back after ${settled - plan.killAfterRound} rounds and asks the others what it missed\n`,
      );
    }
    const ready = finished(plan, statuses);
    if (ready !== null && victimState === 'back')
      return { statuses: ready, killedAndBack: victim.name };
  }
}

function finished(
  plan: DemoPlan,
  statuses: ReadonlyMap<string, Status | null>,
): ReadonlyMap<string, Status> | null {
  const digests = new Set<string>();
  for (const status of statuses.values()) {
    if (status?.state?.complete !== true || status.rounds.settled < plan.rounds) return null;
    if (status.members.some(({ role, round }) => role === 'trainer' && round < plan.rounds))
      return null;
    digests.add(status.state.digest);
  }
  const [digest] = digests;
  const [first] = statuses.values();
  const evaluators = new Set(
    first?.evaluations.filter(({ state }) => state === digest).map(({ site }) => site),
  );
  const hasEvaluated = [...statuses].every(
    ([name, status]) => !publishes(plan, name) || evaluators.has(status?.site.id ?? ''),
  );
  return digests.size === 1 && hasEvaluated ? (statuses as ReadonlyMap<string, Status>) : null;
}

/** A site of fewer than five held-out patients evaluates nothing for the others. */
function publishes(plan: DemoPlan, name: string): boolean {
  const test = plan.sites.find((site) => site.name === name)?.test ?? null;
  if (test === null) return false;
  return (test.kind === 'png' ? test.patients.length : test.patients) >= 5;
}
