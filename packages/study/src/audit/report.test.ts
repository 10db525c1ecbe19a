import { beforeAll, describe, expect, test } from 'vitest';
import { archive, inMemory } from './archive-fixture.ts';
import { AuditStudy } from './audit-fixture.ts';
import type { AuditReport } from './audit-report.ts';
import { modelFaults } from './model-faults-fixture.ts';
import { reportHtml } from './report-html.ts';
import { outcomeOf, reportText } from './report-text.ts';
import { generousPolicy } from './study-manifest-fixture.ts';
import { verdictNames } from './verdict.ts';
import { verifyBundle } from './verify-bundle.ts';

let sound: AuditReport;
let broken: AuditReport;
let closed: AuditReport;
let study: AuditStudy;

beforeAll(async () => {
  const privacy = { ...generousPolicy, sampleRate: 1 };
  study = await new AuditStudy({ seed: 'told', patients: [20, 30], rounds: 3, privacy }).run();
  sound = await verifyBundle(inMemory(await archive(study.parts())));
  closed = await verifyBundle(inMemory(await archive(study.parts(), { payloads: false })));
  const fault = modelFaults.find(({ codes }) => codes[0] === 'WRONG_BASE');
  broken = await verifyBundle(inMemory((await fault?.make()) ?? new Uint8Array()));
});

test('answers every question once, in the order of the specification', () => {
  for (const { verdicts } of [sound, broken, closed]) {
    expect(verdicts.map(({ name }) => name)).toEqual(verdictNames);
    expect(verdicts.every(({ statement }) => statement.length > 20)).toBe(true);
  }
});

test('says who contributed what', () => {
  expect(sound.members.map(({ name, rounds, evaluations }) => [name, rounds, evaluations])).toEqual(
    [
      ['site-0', [1, 2, 3], 0],
      ['site-1', [1, 2, 3], 0],
      ['site-2', [], 3],
    ],
  );
  const [first] = sound.members;
  expect(first?.spent).toMatchObject({ steps: 9 });
  expect(first?.patients).toBe(20);
});

test('gives the digest of every round’s state, so that whoever has a model can look it up', async () => {
  expect(sound.rounds.map(({ round }) => round)).toEqual([0, 1, 2, 3]);
  expect(sound.rounds.at(-1)?.digest).toBe((await study.state(0)).digest);
  expect(closed.rounds).toEqual([]);
});

test('survives JSON: it is plain data', () => {
  expect(JSON.parse(JSON.stringify(broken))).toEqual(broken);
});

test('leaves open what a bundle without payloads cannot show, and says so', () => {
  const open = closed.verdicts.filter(({ status }) => status === 'not-checked');
  expect(open.map(({ name }) => name)).toEqual(['payloads', 'noise', 'weights', 'lineage']);
  expect(closed.isSound).toBe(true);
  expect(outcomeOf(closed)).toContain('Not answered: 4 of 10 questions');
  expect(outcomeOf(closed)).toContain('The bundle has no payloads.');
});

describe('as text', () => {
  test('has lines of at most 100 columns', () => {
    for (const report of [sound, broken, closed]) {
      expect(
        reportText(report)
          .split('\n')
          .filter((line) => line.length > 100),
      ).toEqual([]);
    }
  });

  test('names what was found, where, and what no audit can tell', () => {
    const text = reportText(broken);
    expect(text).toContain('OUTCOME  1 finding:');
    expect(text).toContain(`FOUND WRONG_BASE: record 2 of key ${study.key(1).id}`);
    expect(text).toContain('updates of 3 rounds (1-3)');
    for (const beyond of broken.beyond) expect(text.replace(/\s+/g, ' ')).toContain(beyond);
    expect(text).toMatch(/not a medical device/i);
  });

  test('joins rounds that follow one another', () => {
    const [member] = sound.members;
    if (member === undefined) throw new RangeError('there are three');
    const gaps = { ...sound, members: [{ ...member, rounds: [7, 1, 2, 3, 5] }] };
    expect(reportText(gaps)).toContain('updates of 5 rounds (1-3, 5, 7)');
  });
});

describe('as a page', () => {
  test('needs nothing else, and holds all of the text', () => {
    const html = reportHtml(broken);
    expect(html).not.toMatch(/<script|src=|href=|url\(|https?:/);
    expect(html).toContain('default-src &#39;none&#39;'.replaceAll('&#39;', "'"));
    for (const { statement } of broken.verdicts) {
      expect(unescaped(html)).toContain(statement);
    }
    for (const beyond of broken.beyond) expect(unescaped(html)).toContain(beyond);
    expect(html).toContain('WRONG_BASE');
  });

  test('shows no text of a study as markup', () => {
    const name = '<img src=x onerror="alert(\'1\')"> & more';
    const members = sound.members.map((member) => ({ ...member, name }));
    const html = reportHtml({ ...sound, members, study: { ...sound.study, name } });
    expect(html).not.toContain('<img');
    expect(unescaped(html)).toContain(name);
  });
});

function unescaped(html: string): string {
  const entities: Record<string, string> = {
    lt: '<',
    gt: '>',
    quot: '"',
    '#39': "'",
    amp: '&',
  };
  return html.replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => entities[name] ?? '');
}
