import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { approveRosterChange, type RosterChangeBody } from '@consilium/records';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiStudy } from './api/api-fixture.ts';
import { rememberApproval } from './approval-memory.ts';
import { Author } from './author.ts';
import { Outbox } from './outbox.ts';
import { RecordIntake } from './record-intake.ts';
import { readRosterFile, writeRosterFile } from './roster-file.ts';
import { rosterView } from './roster-view.ts';
import { type SiteFolder, siteFolder } from './site-folder.ts';
import { wantedOf } from './standing.ts';
import { openStores, type Stores } from './stores.ts';

// Three trainers, a validator and an observer; this is site 0.
const study = new ApiStudy();
const { id } = study.founding;
const { record } = study.founding;
const manifest = record.known && record.kind === 'manifest' ? record.body : null;
const founding = { verified: study.founding, manifest: manifest as NonNullable<typeof manifest> };

let folder: SiteFolder;
let stores: Stores;
let intake: RecordIntake;
let author: Author;
const lines: string[] = [];
const note = (_: object, message: string): void => {
  lines.push(message);
};
const logger = { debug: note, info: note, warn: note, error: note };

beforeEach(async () => {
  folder = siteFolder(await mkdtemp(join(tmpdir(), 'consilium-outbox-')));
  await mkdir(folder.outbox);
  stores = await openStores(folder);
  await stores.log.append(study.founding.envelope);
  intake = new RecordIntake(stores.log, id);
  author = new Author(study.key(0), id, stores.log);
  await intake.take();
  lines.length = 0;
});
afterEach(async () => {
  await stores[Symbol.asyncDispose]();
  await rm(folder.root, { recursive: true });
});

/** The removal of site 2 from its third record on, which these sites approve. */
function removal(approvers: readonly number[], number = 1): RosterChangeBody {
  const site = study.key(2).id;
  const change = { kind: 'remove', site, until: [{ key: site, at: 3 }] } as const;
  const proposed = { number, previous: id, change };
  const approvals = approvers
    .map((n) => approveRosterChange(study.key(n), id, proposed))
    .sort((a, b) => (a.site < b.site ? -1 : 1));
  return { ...proposed, approvals };
}

async function layOut(body: RosterChangeBody): Promise<string> {
  const path = join(folder.outbox, 'change.cbor');
  await writeRosterFile(path, { study: id, body });
  return path;
}

async function drain(): Promise<void> {
  await new Outbox(folder.outbox, founding, logger).say(author, intake.fold, []);
  await intake.take();
}

test('what was approved is said once, and the roster follows', async () => {
  let heard = 0;
  intake.onRoster(() => {
    heard++;
  });
  const path = await layOut(removal([0, 1, 3]));
  await drain();
  expect(existsSync(path)).toBe(false);
  expect(stores.log.head(study.key(0).id).size).toBe(2);
  expect(heard).toBe(1);
  const limits = { manifest: founding.manifest, recordLimit: 100 };
  const wanted = wantedOf(intake.roster, limits);
  // 64 + 8 × 9 rounds, and one change.
  expect([0, 2].map((n) => wanted(study.key(n).id))).toEqual([137, 3]);
  // As after a crash between the record and the removal of its file.
  await layOut(removal([0, 1, 3]));
  await drain();
  expect(existsSync(path)).toBe(false);
  expect(stores.log.head(study.key(0).id).size).toBe(2);
});

test.each<[string, RosterChangeBody]>([
  ['with too few approvals', removal([0, 1])],
  ['with an observer’s', removal([0, 1, 4])],
  ['that comes out of turn', removal([0, 1, 3], 2)],
])('a change %s is put aside and not said', async (_, body) => {
  const path = await layOut(body);
  await drain();
  expect(existsSync(path)).toBe(false);
  expect(existsSync(`${path}.refused`)).toBe(true);
  expect(lines).toEqual(['a change of the roster is refused']);
  expect(stores.log.head(study.key(0).id).size).toBe(1);
});

test('a file that is no change is put aside', async () => {
  const path = join(folder.outbox, 'other.cbor');
  await writeFile(path, 'not a change');
  await expect(readRosterFile(path)).rejects.toMatchObject({ code: 'ROSTER_FILE' });
  await drain();
  expect(existsSync(`${path}.refused`)).toBe(true);
});

test('a file comes back as it was written, and names what it lacks', async () => {
  const body = removal([0, 3]);
  const path = await layOut(body);
  expect(await readRosterFile(path)).toEqual({ study: id, body });
  await rm(path);
  await expect(readRosterFile(path)).rejects.toMatchObject({ code: 'ROSTER_FILE' });
});

test('two things said at once are two records, one after the other', async () => {
  const said = [removal([0]), removal([1]), removal([3])].map((body) =>
    author.say({ kind: 'roster-change', body }, []),
  );
  expect(await Promise.all(said)).toEqual([1, 2, 3]);
  await intake.take();
  expect(intake.fold.prefixes().get(study.key(0).id)).toHaveLength(4);
});

test('tells in words what somebody would approve', async () => {
  await layOut(removal([0, 1, 3]));
  await drain();
  const view = rosterView(intake.fold, id);
  expect(view?.changes[0]?.words).toEqual([
    `REMOVE hospital-c (trainer …${study.key(2).id.slice(-8)}) for good: it may not connect and nothing that it says counts any more`,
    `of ${study.key(2).id} the first 3 records count`,
  ]);
  expect(view).toMatchObject({ needed: 2, roster: { number: 1 } });
  expect(view?.voters).toHaveLength(3);
});

test('a site approves one change for a number, and another only instead of it', async () => {
  const remember = (change: string, instead: string | null = null): Promise<void> =>
    rememberApproval(folder.approvals, 'study 1', change, instead);
  await remember('one');
  await remember('one');
  await expect(remember('other')).rejects.toMatchObject({ code: 'ROSTER_FILE' });
  await expect(remember('other', 'third')).rejects.toMatchObject({ code: 'ROSTER_FILE' });
  await remember('other', 'one');
  await rememberApproval(folder.approvals, 'study 2', 'one', null);
  expect(JSON.parse(await readFile(folder.approvals, 'utf8'))).toEqual({
    'study 1': 'other',
    'study 2': 'one',
  });
});
