import type { SiteId } from '@consilium/records';
import type { MemberState, StudyState } from '@consilium/study';

/** What a site does next about rounds. */
export type Step =
  | { readonly kind: 'train'; readonly round: number }
  | { readonly kind: 'wait'; readonly round: number; readonly for: readonly SiteId[] }
  | { readonly kind: 'finished' }
  /** What is left of its privacy does not pay for another round, or the others' does not for a quorum. */
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'watch' };

/** The part of a state that pacing looks at. */
export type Progress = Pick<StudyState, 'members' | 'manifest'>;

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
  const trainers = trainersOf(progress);
  const self = trainers.find((member) => member.site === site);
  if (self === undefined) return { kind: 'watch' };
  if (self.lastRound >= count) return { kind: 'finished' };
  if (isExhausted(self) || !hasQuorumLeft(progress)) return { kind: 'exhausted' };
  const round = Math.max(
    self.lastRound + 1,
    frontier(
      trainers.map(({ lastRound }) => lastRound),
      quorum,
    ),
  );
  const done = round - 1;
  // Nobody waits for a site that may not train any more, or whose word does not count any more.
  const others = trainers.filter(
    (member) => member.site !== site && member.isHeard && !isExhausted(member) && hasBegun(member),
  );
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

/** Who trains now. */
function trainersOf({ members }: Pick<Progress, 'members'>): MemberState[] {
  return members.filter(({ role, isRemoved }) => role === 'trainer' && !isRemoved);
}

/** An added site is not waited for before its first update, wherever the study stands by then. */
function hasBegun({ joinedWith, lastRound }: MemberState): boolean {
  return joinedWith === 0 || lastRound > 0;
}

function isExhausted({ spending }: MemberState): boolean {
  return spending?.isExhausted === true;
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
  const reached = reachedRound(progress);
  const active = trainersOf(progress)
    .filter((member) => member.lastRound >= reached - 1 && hasBegun(member))
    .map(({ lastRound }) => lastRound);
  return active.length === 0 ? 0 : Math.min(...active);
}

/** The highest round that a quorum has given. */
function reachedRound(progress: Progress): number {
  return frontier(
    trainersOf(progress).map(({ lastRound }) => lastRound),
    progress.manifest.rounds.quorum,
  );
}

/** Whether as many trainers as a round needs have privacy left. */
function hasQuorumLeft(progress: Progress): boolean {
  const able = trainersOf(progress).filter((member) => !isExhausted(member));
  return able.length >= progress.manifest.rounds.quorum;
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
  const hasReachedEnd = reachedRound(progress) === count || !hasQuorumLeft(progress);
  const isLast = round === count || (isOverdue && hasReachedEnd);
  const isNthDue =
    everyRounds > 0 && Math.floor(round / everyRounds) > Math.floor(lastRound / everyRounds);
  if (evaluated.hasPatients && !evaluated.isStateDone && (isLast || isNthDue))
    return { kind: 'evaluate', round: isLast ? Math.max(round, reachedRound(progress)) : round };
  return nextStep(progress, site, waitedMs);
}
