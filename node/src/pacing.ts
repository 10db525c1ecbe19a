import type { SiteId } from '@consilium/records';
import type { StudyState } from '@consilium/study';

/** What a site does next about rounds. */
export type Step =
  | { readonly kind: 'train'; readonly round: number }
  | { readonly kind: 'wait'; readonly round: number; readonly for: readonly SiteId[] }
  | { readonly kind: 'finished' }
  | { readonly kind: 'watch' };

/** The part of a state that pacing looks at. */
export type Progress = Pick<StudyState, 'members' | 'manifest' | 'findings'>;

/**
 * Decides a trainer's next step from what everyone is known to have said. Pure.
 *
 * A site starts round r+1 when every *active* trainer's round-r update is here, or when `waitedMs` has passed the deadline and a quorum has it. A trainer is
 * active while it has kept up: it gave the round before the one waited for. One that was away is not waited for again until it does, and joins at the
 * *frontier*, the highest round that a quorum has reached, rather than repeating every round that it missed. Pacing decides nothing about the
 * weights: a late update changes the same sum for everybody.
 */
export function nextStep(progress: Progress, site: SiteId, waitedMs: number): Step {
  const { count, quorum, deadlineSeconds } = progress.manifest.rounds;
  const excluded = new Set(
    progress.findings
      .filter(({ code }) => code === 'FORK' || code === 'BROKEN_CHAIN')
      .map((finding) => finding.site),
  );
  const trainers = progress.members.filter(({ role }) => role === 'trainer');
  const self = trainers.find((member) => member.site === site);
  if (self === undefined) return { kind: 'watch' };
  if (self.lastRound >= count) return { kind: 'finished' };
  const round = Math.max(
    self.lastRound + 1,
    frontier(
      trainers.map(({ lastRound }) => lastRound),
      quorum,
    ),
  );
  const done = round - 1;
  const others = trainers.filter((member) => member.site !== site && !excluded.has(member.site));
  const waitingFor = others.filter(
    ({ lastRound }) => lastRound < done && (done === 1 || lastRound >= done - 1),
  );
  const have = trainers.filter(({ lastRound }) => lastRound >= done).length;
  const isOverdue = waitedMs >= deadlineSeconds * 1000 && have >= quorum;
  if (have >= quorum && (waitingFor.length === 0 || isOverdue)) return { kind: 'train', round };
  // Too few kept up: then everyone who is behind is waited for, however long they have been away.
  const behind = have >= quorum ? waitingFor : others.filter(({ lastRound }) => lastRound < done);
  return { kind: 'wait', round, for: behind.map((member) => member.site) };
}

/** The highest round that at least `quorum` trainers have reached; 0 before that. */
export function frontier(lastRounds: readonly number[], quorum: number): number {
  return [...lastRounds].sort((a, b) => b - a)[quorum - 1] ?? 0;
}

/**
 * The last round after which the weights are settled enough to be evaluated: every trainer that kept up has given it.
 * 0 before the first.
 */
export function settledRound(progress: Progress): number {
  const trainers = progress.members.filter(({ role }) => role === 'trainer');
  const reached = reachedRound(progress);
  const active = trainers
    .filter(({ lastRound }) => lastRound >= reached - 1)
    .map(({ lastRound }) => lastRound);
  return active.length === 0 ? 0 : Math.min(...active);
}

/** The highest round that a quorum has given. */
function reachedRound({ members, manifest }: Progress): number {
  const trainers = members.filter(({ role }) => role === 'trainer');
  return frontier(
    trainers.map(({ lastRound }) => lastRound),
    manifest.rounds.quorum,
  );
}

/** What a site does next about its own patients. */
export type Action = Step | { readonly kind: 'evaluate'; readonly round: number };

/** What a site knows about its own evaluations. */
export interface Evaluated {
  /** Evaluate after every n-th settled round; 0: after the last only. */
  readonly everyRounds: number;
  /** The highest round whose state this site has evaluated; 0 before the first. */
  readonly lastRound: number;
  /** Whether it has evaluated just this state. */
  readonly isStateDone: boolean;
  readonly hasPatients: boolean;
  /** How long nothing has changed this state. */
  readonly unchangedMs: number;
}

/**
 * {@link nextStep}, with evaluations put first where one is due: after every n-th settled round, and of the last round's state, again when a late update
 * has changed it. The last round counts as settled too when a quorum has given it and nothing has changed for a deadline.
 */
export function nextAction(
  progress: Progress,
  site: SiteId,
  waitedMs: number,
  evaluated: Evaluated,
): Action {
  const round = settledRound(progress);
  const { everyRounds, lastRound } = evaluated;
  const { count, deadlineSeconds } = progress.manifest.rounds;
  // A trainer that has gone for good before its last round must not keep the result from ever being evaluated.
  const isOverdue = evaluated.unchangedMs >= deadlineSeconds * 1000;
  const isLast = round === count || (isOverdue && reachedRound(progress) === count);
  const isNthDue =
    everyRounds > 0 && Math.floor(round / everyRounds) > Math.floor(lastRound / everyRounds);
  if (evaluated.hasPatients && !evaluated.isStateDone && (isLast || isNthDue))
    return { kind: 'evaluate', round: isLast ? count : round };
  return nextStep(progress, site, waitedMs);
}
