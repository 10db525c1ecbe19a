import { contradictionOf, leafHash } from '@consilium/log';
import { type EquivocationBody, openRecord } from '@consilium/records';
import { logKeyOf, type StudyState } from '@consilium/study';
import { expect, test } from 'vitest';
import { Accuser, type Charge } from './accuser.ts';
import { checkpointOf, story, study, testKey } from './witnessing-fixture.ts';

const site = testKey(0);
const truth = story(site, 9, 3, 'truth');
const lie = story(site, 9, 3, 'lie');

function charge(size: number): Charge {
  const proof = contradictionOf(
    checkpointOf(site, lie, size),
    checkpointOf(site, truth, 9),
    logKeyOf(study, site.id),
    truth.map((entry) => leafHash(openRecord(entry).leaf)),
  );
  if (proof === undefined) throw new TypeError('they do not contradict each other');
  return { site: site.id, index: size - 1, body: { site: site.id, ...proof } };
}

/** What an accuser says, one record after the other. */
async function said(
  proven: readonly Charge[],
  known: readonly (Charge & { isCarried: boolean })[],
  { isHeard = true, findings = [] as StudyState['findings'], times = 1 } = {},
): Promise<EquivocationBody[]> {
  const bodies: EquivocationBody[] = [];
  const accuser = new Accuser(() => proven, { error: () => undefined });
  const author = {
    say: async (draft: unknown) => {
      bodies.push((draft as { body: EquivocationBody }).body);
      return 0;
    },
  };
  for (let i = 0; i < times; i += 1) {
    const fold = { accusations: () => known as never };
    await accuser.say(author, fold, { findings, heads: [] }, { isHeard });
  }
  return bodies;
}

test('says what it can prove, once', async () => {
  expect(await said([charge(6)], [], { times: 3 })).toEqual([charge(6).body]);
});

test('repeats what stands in a log that not everybody will get', async () => {
  expect(await said([], [{ ...charge(6), isCarried: false }])).toEqual([charge(6).body]);
});

test.each<[string, readonly Charge[], readonly (Charge & { isCarried: boolean })[], object]>([
  ['a log has it that everybody will get', [charge(6)], [{ ...charge(6), isCarried: true }], {}],
  ['a stronger one is known', [charge(6)], [{ ...charge(5), isCarried: true }], {}],
  ['nothing that this site says counts any more', [charge(6)], [], { isHeard: false }],
  [
    'two records at that index or before prove it already',
    [charge(6)],
    [],
    { findings: [{ code: 'FORK', site: site.id, index: 5, message: '' }] },
  ],
])('is silent when %s', async (_, proven, known, circumstances) => {
  expect(await said(proven, known, circumstances)).toEqual([]);
});

test('says what is stronger than what is known', async () => {
  const known = [{ ...charge(6), isCarried: true }];
  const findings = [{ code: 'FORK' as const, site: site.id, index: 6, message: '' }];
  expect(await said([charge(5)], known, { findings })).toEqual([charge(5).body]);
});
