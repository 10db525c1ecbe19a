import { operations } from '@consilium/client';
import { beforeEach, describe, expect, test } from 'vitest';
import { ApiStudy } from './api-fixture.ts';
import { noCheckpoints } from './log-proof.ts';
import { stateDistance } from './state-distance.ts';
import { StudyQueries } from './study-queries.ts';

let study: ApiStudy;
const queriesOf = (of: ApiStudy, hidden: ReadonlySet<string> = new Set()): StudyQueries =>
  new StudyQueries({
    self: of.key(4).id,
    history: of.history(hidden),
    checkpoints: noCheckpoints,
    connected: (site) => (site === of.key(4).id ? null : site === of.key(0).id),
  });

beforeEach(() => {
  study = new ApiStudy();
});

describe('every answer is what the contract says', () => {
  test.each<[keyof typeof operations, (queries: StudyQueries) => Promise<unknown>]>([
    ['study', (queries) => queries.study()],
    ['members', (queries) => queries.members()],
    ['states', (queries) => queries.states()],
    ['state', (queries) => queries.state('round:1')],
    ['lineage', (queries) => queries.lineage('latest')],
    ['diff', (queries) => queries.diff('round:0', 'latest')],
    ['evaluations', (queries) => queries.evaluations()],
    ['participation', (queries) => queries.participation()],
    ['privacy', (queries) => queries.privacy()],
    ['heads', (queries) => queries.heads()],
    ['findings', (queries) => queries.findings()],
    ['consensus', (queries) => queries.consensus()],
    ['proof', (queries) => queries.proof(study.key(0).id, 1)],
  ])('%s', async (name, ask) => {
    await study.twoRounds();
    study.update(0, 2, 99, await study.history().latest(), 2);
    const answer = await ask(queriesOf(study));
    const { answer: schema } = operations[name];
    if (!('parse' in schema)) throw new TypeError(`${name} is no JSON`);
    // Not a field more than the schema knows: what is not in the contract is not told.
    expect(schema.parse(answer)).toEqual(answer);
  });
});

describe('states', () => {
  test('say loudly who is absent, by round and in each state’s own words', async () => {
    await study.twoRounds();
    const { latest, states, from } = await queriesOf(study).states();
    expect(from).toBe(0);
    expect(states.map(({ names, absent }) => [names, absent.map(({ name }) => name)])).toEqual([
      [['round:0'], []],
      [['round:1'], []],
      [['round:2'], ['hospital-c']],
      [
        ['latest', 'round:3'],
        ['hospital-b', 'hospital-c'],
      ],
    ]);
    expect(latest).toEqual(states.at(-1));
    const { participation } = await queriesOf(study).state('round:2');
    expect(participation).toMatchObject([
      { round: 1, absent: [] },
      { round: 2, absent: [{ name: 'hospital-c' }] },
    ]);
  });

  test.each([
    [{ limit: 2 }, [2, 3]],
    [{ from: 1, limit: 2 }, [1, 2]],
    [{ from: 3, limit: 50 }, [3]],
    [{ from: 4 }, []],
  ])('page %j holds rounds %j', async (page, rounds) => {
    await study.twoRounds();
    const { states } = await queriesOf(study).states(page);
    expect(states.map((state) => state.rounds)).toEqual(rounds);
  });

  test('have only the names that are theirs', async () => {
    const { evaluated } = await study.twoRounds();
    const queries = queriesOf(study);
    const between = await queries.state(evaluated.digest);
    expect(between.names).toEqual([]);
    expect((await queries.state((await queries.state('round:2')).digest)).names).toEqual([
      'round:2',
    ]);
    expect((await queries.stateAtHeads(evaluated.heads)).digest).toBe(evaluated.digest);
  });

  test.each(['round:4', 'ab'.repeat(32)])('%s is unknown', async (name) => {
    await study.twoRounds();
    await expect(queriesOf(study).state(name)).rejects.toMatchObject({ code: 'STATE_UNKNOWN' });
  });

  test('while the initial weights are not here, the study is not ready', async () => {
    const hidden = new Set(study.blobs.keys());
    await expect(queriesOf(study, hidden).state('latest')).rejects.toMatchObject({
      code: 'NOT_READY',
    });
  });
});

describe('evaluations', () => {
  test('of fewer patients than the minimum cohort are told without any figure', async () => {
    const state = await study.history().latest();
    study.evaluation(3, 0, state, 5);
    study.evaluation(0, 0, state, 4);
    const { minimumCohort, cells } = await queriesOf(study).evaluations();
    expect(minimumCohort).toBe(5);
    expect(cells).toMatchObject([
      { name: 'hospital-a', isSuppressed: true, patients: null, metrics: [] },
      { name: 'external', isSuppressed: false, patients: 5, metrics: [{ value: 0.51 }, {}] },
    ]);
    const card = await queriesOf(study).card('latest');
    expect(card).toContain('| hospital-a | trainer | too few to show |');
    expect(JSON.stringify((await queriesOf(study).file('latest', 'onnx')).metadata)).not.toContain(
      '"patients":4',
    );
  });

  test('belong to the state that they name, the last one where a site said two', async () => {
    const { evaluated } = await study.twoRounds();
    study.evaluation(3, 2, evaluated, 15);
    const queries = queriesOf(study);
    expect((await queries.evaluations('latest')).cells).toEqual([]);
    expect((await queries.evaluations(evaluated.digest)).cells).toMatchObject([
      { name: 'external', role: 'validator', patients: 15, index: 1 },
    ]);
    expect((await queries.state(evaluated.digest)).evaluations).toHaveLength(1);
  });
});

describe('distances', () => {
  test.each([
    [[3, 0], [3, 0], 0],
    [[3, 0], [-3, 0], 2],
    [[3, 4], [0, 0], 1],
    [[0, 0], [0, 0], 0],
    [[3, 0], [0, 4], 1.25],
    [[2 ** 31 - 1, 7], [-(2 ** 31 - 1), 7], 2],
  ])('between %j and %j is %d, either way round', (a, b, distance) => {
    const [x, y] = [Int32Array.from(a), Int32Array.from(b)];
    expect(stateDistance(x, y)).toBeCloseTo(distance, 12);
    expect(stateDistance(y, x)).toBe(stateDistance(x, y));
  });

  test('a difference names the logs in which two states differ', async () => {
    await study.twoRounds();
    const queries = queriesOf(study);
    const diff = await queries.diff('round:1', 'round:2');
    expect(diff.logs.map(({ name, sizeA, sizeB }) => [name, sizeA, sizeB])).toEqual([
      ...[
        ['hospital-a', 2, 3],
        ['hospital-b', 1, 2],
      ].sort(
        ([a], [b]) =>
          diff.logs.findIndex(({ name }) => name === a) -
          diff.logs.findIndex(({ name }) => name === b),
      ),
    ]);
    expect(diff.isSame).toBe(false);
    expect(diff.distance).toBeGreaterThan(0);
    expect(await queries.diff('round:2', 'round:2')).toMatchObject({ isSame: true, distance: 0 });
  });

  test('consensus shows how far behind each member was when it spoke last, and what it said it saw', async () => {
    const { evaluated } = await study.twoRounds();
    const { state, members, largest } = await queriesOf(study).consensus();
    const latest = await study.history().latest();
    expect(state).toBe(latest.digest);
    const of = (name: string) => members.find((member) => member.name === name);
    expect(of('auditor')).toMatchObject({
      heads: null,
      state: null,
      distance: null,
      claimed: null,
    });
    expect(of('external')).toMatchObject({ state: evaluated.digest, claimed: evaluated.digest });
    expect(of('external')?.distance).toBe(stateDistance(evaluated.weights, latest.weights));
    expect(of('hospital-c')?.distance).toBeGreaterThan(of('hospital-a')?.distance ?? 9);
    expect(largest).toBe(of('hospital-c')?.distance);
  });
});

test('a lineage leads from the initial weights over every payload to the digest', async () => {
  await study.twoRounds();
  const { contributors, rounds, initialWeights } = await queriesOf(study).lineage('round:2');
  expect(study.blobs.has(initialWeights)).toBe(true);
  expect(contributors.map(({ name, rounds: given }) => [name, given])).toEqual([
    ['hospital-a', [1, 2]],
    ['hospital-b', [1, 2]],
    ['hospital-c', [1]],
  ]);
  const payloads = rounds.flatMap(({ updates }) => updates.map(({ payload }) => payload));
  expect(payloads).toHaveLength(5);
  for (const payload of payloads) expect(study.blobs.has(payload)).toBe(true);
});

test('a model card tells what it must, and is not led astray by names', async () => {
  const evil = ['x | [a](http://evil) <img src=x>', 'hospital-b', 'hospital-c', '`external`', 'e'];
  study = new ApiStudy(evil);
  const { evaluated } = await study.twoRounds();
  const card = await queriesOf(study).card(evaluated.digest);
  for (const title of ['Identity', 'Intended use', 'Lineage', 'Privacy', 'Evaluation', 'Limits'])
    expect(card).toContain(`\n## ${title}\n`);
  expect(card).toContain('Research use only: not a medical device.');
  expect(card).toContain(`\`${evaluated.digest}\``);
  expect(card).toContain('Profile **off**: updates are NOT differentially private');
  expect(card).toContain('lesion-dice | 0.510 | 0.400 – 0.620 |');
  expect(card).toContain('Trainers are absent from 1 of 2 rounds');
  expect(card).not.toMatch(/[^\\](?:<img|\]\(http|`external)/);
  expect(await queriesOf(study).card('latest')).toContain('**Nobody has evaluated this state.**');
});
