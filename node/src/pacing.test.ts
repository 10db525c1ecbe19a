import type { StudyState } from '@consilium/study';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Evaluated,
  frontier,
  nextAction,
  nextStep,
  type Progress,
  type Step,
  settledRound,
} from './pacing.ts';

const deadlineSeconds = 60;
const overdue = 1000 * deadlineSeconds;

interface Shape {
  readonly count?: number;
  readonly quorum?: number;
  readonly forked?: readonly number[];
  readonly removed?: readonly number[];
  /** Added by a change of the roster. */
  readonly added?: readonly number[];
}

/** Trainers t0, t1, … that have given these rounds, a validator and an observer. */
function progress(lastRounds: readonly number[], shape: Shape = {}): Progress {
  const { count = 8, quorum = 2, forked = [], removed = [], added = [] } = shape;
  const member = (site: string, role: 'trainer' | 'validator' | 'observer', lastRound: number) => ({
    site,
    name: site,
    role,
    patients: role === 'trainer' ? 10 : 0,
    addresses: [],
    keys: [site],
    joinedWith: 0,
    isRemoved: false,
    isHeard: true,
    weight: role === 'trainer' ? 10 : 0,
    lastRound,
    logSize: lastRound,
    spending: null,
  });
  return {
    members: [
      ...lastRounds.map((lastRound, i) => ({
        ...member(`t${i}`, 'trainer', lastRound),
        isHeard: !forked.includes(i) && !removed.includes(i),
        isRemoved: removed.includes(i),
        joinedWith: added.includes(i) ? 1 : 0,
      })),
      member('validator', 'validator', 0),
      member('observer', 'observer', 0),
    ],
    manifest: { rounds: { count, quorum, deadlineSeconds } } as StudyState['manifest'],
  };
}

const train = (round: number): Step => ({ kind: 'train', round });
const wait = (round: number, ...others: string[]): Step => ({ kind: 'wait', round, for: others });

describe('the next step of trainer t0', () => {
  test.each<[what: string, lastRounds: number[], waitedMs: number, shape: Shape, step: Step]>([
    ['the first round waits for nobody', [0, 0, 0], 0, {}, train(1)],
    ['everyone has given round 1', [1, 1, 1], 0, {}, train(2)],
    ['one has not given round 1', [1, 1, 0], 0, {}, wait(2, 't2')],
    [
      'one has not given round 1 a moment before the deadline',
      [1, 1, 0],
      overdue - 1,
      {},
      wait(2, 't2'),
    ],
    ['one has not given round 1 at the deadline', [1, 1, 0], overdue, {}, train(2)],
    [
      'the deadline does not stand in for a quorum',
      [1, 0, 0],
      9 * overdue,
      {},
      wait(2, 't1', 't2'),
    ],
    ['others being ahead is no reason to wait', [1, 2, 2], 0, {}, train(2)],
    ['one that kept up gives its update', [3, 3, 2], 0, {}, wait(4, 't2')],
    ['one that was away is not waited for', [3, 3, 1], 0, {}, train(4)],
    ['coming back, it joins at the frontier', [1, 5, 5], 0, {}, train(5)],
    [
      'coming back to others that differ, it joins at what a quorum has',
      [1, 7, 4],
      0,
      {},
      train(4),
    ],
    [
      'too few kept up: those away are waited for after all',
      [5, 1, 2],
      9 * overdue,
      {},
      wait(6, 't1', 't2'),
    ],
    ['a forked site is not waited for', [3, 3, 2], 0, { forked: [2] }, train(4)],
    ['a removed site is not waited for', [3, 3, 2], 0, { removed: [2] }, train(4)],
    ['a removed site makes no quorum', [3, 2, 3], 0, { removed: [2] }, wait(4, 't1')],
    ['a removed site does not train', [2, 3, 3], 0, { removed: [0] }, { kind: 'watch' }],
    ['an added site is not waited for before it has begun', [1, 1, 0], 0, { added: [2] }, train(2)],
    ['an added site that has begun is', [3, 3, 2], 0, { added: [2] }, wait(4, 't2')],
    ['an added site starts at the frontier', [0, 5, 6], 0, { added: [0] }, train(5)],
    ['the last round is its last', [8, 8, 8], 0, {}, { kind: 'finished' }],
    ['it is finished though others are not', [8, 7, 1], 0, {}, { kind: 'finished' }],
    ['the last round is never passed over', [1, 8, 8], 0, {}, train(8)],
    ['a quorum of one goes on alone after the deadline', [4, 3], overdue, { quorum: 1 }, train(5)],
    ['alone in the study', [3], 0, { quorum: 1 }, train(4)],
  ])('%s', (_, lastRounds, waitedMs, shape, step) => {
    expect(nextStep(progress(lastRounds, shape), 't0', waitedMs)).toEqual(step);
  });

  test.each(['validator', 'observer', 'stranger'])('a %s watches', (site) => {
    expect(nextStep(progress([0, 0]), site, overdue)).toEqual({ kind: 'watch' });
  });
});

test.each([
  [[0, 0, 0], 2, 0],
  [[3, 0, 0], 2, 0],
  [[3, 2, 0], 2, 2],
  [[0, 2, 3], 3, 0],
  [[5, 4, 4], 1, 5],
  [[10, 9, 2], 2, 9],
  [[1], 2, 0],
  [[], 1, 0],
])('of %j a quorum of %i has reached round %i', (lastRounds, quorum, reached) => {
  const before = [...lastRounds];
  expect(frontier(lastRounds, quorum)).toBe(reached);
  expect(lastRounds).toEqual(before);
});

test.each([
  ['nobody has begun', [0, 0, 0], 0],
  ['one has not given it', [1, 1, 0], 0],
  ['all have', [4, 4, 4], 4],
  ['the slowest that keeps up counts', [5, 4, 4], 4],
  ['one that is away does not', [5, 5, 1], 5],
  ['one that is ahead of the quorum does not make a round', [6, 5, 1], 5],
])('settled: %s', (_, lastRounds, settled) => {
  expect(settledRound(progress(lastRounds))).toBe(settled);
});

test('settled: neither an added site that has not begun nor a removed one is waited for', () => {
  expect(settledRound(progress([1, 1, 0], { added: [2] }))).toBe(1);
  expect(settledRound(progress([4, 4, 3], { removed: [2] }))).toBe(4);
});

describe('evaluations', () => {
  const nothing: Evaluated = {
    everyRounds: 2,
    lastRound: 0,
    isStateDone: false,
    hasPatients: true,
    unchangedMs: 0,
  };
  test.each<[what: string, lastRounds: number[], evaluated: Partial<Evaluated>, kind: string]>([
    ['none before the first round has settled', [1, 1, 0], {}, 'wait'],
    ['none after a round that is not the n-th', [1, 1, 1], {}, 'train'],
    ['one after the n-th', [2, 2, 2], {}, 'evaluate'],
    ['one that was missed is made up for', [3, 3, 3], {}, 'evaluate'],
    ['not twice for the same stretch', [3, 3, 3], { lastRound: 2 }, 'train'],
    ['the next stretch', [4, 4, 4], { lastRound: 3 }, 'evaluate'],
    ['not of a state that is done', [4, 4, 4], { lastRound: 2, isStateDone: true }, 'train'],
    ['after the last only, when it is 0', [7, 7, 7], { everyRounds: 0 }, 'train'],
    ['after the last, when it is 0', [8, 8, 8], { everyRounds: 0 }, 'evaluate'],
    [
      'of the last round again, when a late update changed it',
      [8, 8, 8],
      { lastRound: 8 },
      'evaluate',
    ],
    ['of the last round once', [8, 8, 8], { lastRound: 8, isStateDone: true }, 'finished'],
    ['none without patients', [8, 8, 8], { hasPatients: false }, 'finished'],
  ])('%s', (_, lastRounds, evaluated, kind) => {
    const action = nextAction(progress(lastRounds), 't0', 0, { ...nothing, ...evaluated });
    expect(action.kind).toBe(kind);
    if (action.kind === 'evaluate') expect(action.round).toBe(settledRound(progress(lastRounds)));
  });

  test.each([
    [
      'a trainer that is gone before its last round holds up the last evaluation',
      [8, 8, 7],
      overdue - 1,
      'finished',
    ],
    ['but no longer than a deadline', [8, 8, 7], overdue, 'evaluate'],
    ['and only when a quorum has given the last round', [8, 7, 7], overdue, 'finished'],
  ])('%s', (_, lastRounds, unchangedMs, kind) => {
    const evaluated = { ...nothing, everyRounds: 0, unchangedMs };
    expect(nextAction(progress(lastRounds), 't0', 0, evaluated).kind).toBe(kind);
  });

  test('a validator evaluates and otherwise watches', () => {
    expect(nextAction(progress([2, 2]), 'validator', 0, nothing).kind).toBe('evaluate');
    expect(nextAction(progress([3, 3]), 'validator', 0, { ...nothing, lastRound: 2 }).kind).toBe(
      'watch',
    );
  });
});

/** A consortium's trainers and rounds, any of them. */
const consortia = fc
  .record({
    lastRounds: fc.array(fc.nat(6), { minLength: 1, maxLength: 7 }),
    quorum: fc.integer({ min: 1, max: 7 }),
    waitedMs: fc.nat(2 * overdue),
  })
  .map(({ lastRounds, quorum, waitedMs }) => ({
    lastRounds,
    waitedMs,
    state: progress(lastRounds, { count: 6, quorum: Math.min(quorum, lastRounds.length) }),
    quorum: Math.min(quorum, lastRounds.length),
  }));

test('no site ever trains a round that it has passed, or one that a study does not have', () => {
  fc.assert(
    fc.property(consortia, ({ lastRounds, state, waitedMs }) => {
      for (const [i, lastRound] of lastRounds.entries()) {
        const step = nextStep(state, `t${i}`, waitedMs);
        if (step.kind !== 'train') continue;
        expect(step.round).toBeGreaterThan(lastRound);
        expect(step.round).toBeLessThanOrEqual(6);
      }
    }),
    { seed: 21, numRuns: 2000 },
  );
});

test('a site trains only on what a quorum has given, and waits only for others that are behind', () => {
  fc.assert(
    fc.property(consortia, ({ lastRounds, state, waitedMs, quorum }) => {
      for (const i of lastRounds.keys()) {
        const step = nextStep(state, `t${i}`, waitedMs);
        if (step.kind === 'train') {
          const have = lastRounds.filter((lastRound) => lastRound >= step.round - 1).length;
          expect(have).toBeGreaterThanOrEqual(quorum);
        }
        if (step.kind === 'wait') {
          expect(step.for).not.toContain(`t${i}`);
          expect(step.for.length).toBeGreaterThan(0);
          for (const site of step.for)
            expect(lastRounds[Number(site.slice(1))]).toBeLessThan(step.round - 1);
        }
      }
    }),
    { seed: 22, numRuns: 2000 },
  );
});

test('waiting longer never takes a step back', () => {
  fc.assert(
    fc.property(consortia, ({ state, waitedMs }) => {
      if (nextStep(state, 't0', waitedMs).kind === 'train')
        expect(nextStep(state, 't0', waitedMs + overdue)).toEqual(nextStep(state, 't0', waitedMs));
    }),
    { seed: 23, numRuns: 1000 },
  );
});

test('as long as a quorum is there, every site that is there gets to the last round, whoever is away', () => {
  const runs = fc.record({
    start: consortia,
    isAway: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
    order: fc.infiniteStream(fc.nat(6)),
  });
  fc.assert(
    fc.property(runs, ({ start, isAway, order }) => {
      const rounds = [...start.lastRounds];
      const there = rounds.map((_, i) => i).filter((i) => isAway[i] !== true);
      fc.pre(there.length >= start.quorum);
      for (const [turns, pick] of Array.from(
        { length: 400 },
        (_, n) => [n, order.next().value] as const,
      )) {
        const i = there[(pick as number) % there.length] as number;
        const step = nextStep(
          progress(rounds, { count: 6, quorum: start.quorum }),
          `t${i}`,
          turns % 3 === 0 ? overdue : 0,
        );
        if (step.kind === 'train') rounds[i] = step.round;
      }
      // Whoever the stream never picked gets its turns here.
      for (let turn = 0; turn < 7 * there.length; turn++) {
        const i = there[turn % there.length] as number;
        const step = nextStep(
          progress(rounds, { count: 6, quorum: start.quorum }),
          `t${i}`,
          overdue,
        );
        if (step.kind === 'train') rounds[i] = step.round;
      }
      expect(there.filter((i) => rounds[i] !== 6)).toEqual([]);
    }),
    { seed: 24, numRuns: 300 },
  );
});

test('what has settled was reached by a quorum', () => {
  fc.assert(
    fc.property(consortia, ({ lastRounds, state, quorum }) => {
      const settled = settledRound(state);
      expect(settled).toBeLessThanOrEqual(frontier(lastRounds, quorum));
      expect(settled).toBeGreaterThanOrEqual(frontier(lastRounds, quorum) - 1);
    }),
    { seed: 25, numRuns: 1000 },
  );
});
