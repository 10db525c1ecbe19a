import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openBlobStore, openLogStore } from '@consilium/log';
import { seeded } from '@consilium/model';
import { logPlaceOf, openRecord, type VerifiedRecord } from '@consilium/records';
import { replay, type StudyState } from '@consilium/study';
import { Level } from 'level';
import { expect, test } from 'vitest';
import { foundingEnvelope, privateKey } from './private-site.ts';

/** Two sites on two cores, each killed so often; that makes 208. */
const killsEach = 104;
const lanes = [1, 2];
const child = join(import.meta.dirname, 'private-crash-child.ts');

/** What a site's disk says. */
interface OnDisk {
  readonly records: readonly VerifiedRecord[];
  readonly state: StudyState;
}

test(`spends no more than it reserved and says each round once over ${killsEach * lanes.length} kills`, async () => {
  await Promise.all(lanes.map(liveAndDie));
}, 600_000);

async function liveAndDie(lane: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-private-'));
  const random = seeded('private kills', lane);
  const before: { ids: string[]; epsilon: number } = { ids: [], epsilon: 0 };
  let killedBeforeReady = 0;
  try {
    for (let life = 0; life < killsEach; life++) {
      if (!(await runAndKill(folder, random.below(8), random.below(30)))) {
        killedBeforeReady++;
      }
      if (life % 13 === 12) await check(folder, before);
    }
    const { records, state } = await check(folder, before);
    expect(state.rounds.length, 'the node continues').toBeGreaterThan(killsEach / 8);
    expect(state.members[0]?.spending?.unused, 'kills fell into trainings').toBeGreaterThan(3);
    expect(killedBeforeReady).toBeLessThan(killsEach / 2);
    await checkJournal(folder, records);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** One life, killed a moment after it said its n-th line; with none to wait for, while it starts. Resolves to whether it was ready. */
async function runAndKill(folder: string, lines: number, afterMs: number): Promise<boolean> {
  const running = spawn(
    process.execPath,
    ['--conditions=@consilium/source', '--disable-warning=ExperimentalWarning', child, folder],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = once(running, 'exit');
  const closed = once(running, 'close');
  const said = { output: '', errors: '' };
  running.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.errors += text;
  });
  const ready = new Promise<void>((resolve) => {
    running.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.output += text;
      if (said.output.split('\n').length > lines) resolve();
    });
  });
  if (lines === 0) await delay(20 * afterMs);
  else await Promise.race([ready.then(() => delay(afterMs)), exited]);
  running.kill('SIGKILL');
  const [code, signal] = await exited;
  await closed;
  expect({ code, signal, errors: said.errors }).toEqual({
    code: null,
    signal: 'SIGKILL',
    errors: '',
  });
  return said.output.includes('ready\n');
}

/** Holds what is on disk against what was there before: logs only grow, ε never falls, and no rule is broken. */
async function check(folder: string, before: { ids: string[]; epsilon: number }): Promise<OnDisk> {
  const { records, state } = await onDisk(folder);
  const ids = records.map(({ id }) => Buffer.from(id).toString('hex'));
  expect(ids.slice(0, before.ids.length)).toEqual(before.ids);
  expect(state.findings).toEqual([]);
  const { epsilon = 0, steps = 0 } = state.members[0]?.spending ?? {};
  expect(epsilon).toBeGreaterThanOrEqual(before.epsilon);
  const paid = records.flatMap(({ record }) =>
    record.known && record.kind === 'update' ? [record.body] : [],
  );
  expect(paid.reduce((sum, body) => sum + body.steps, 0)).toBeLessThanOrEqual(steps);
  expect(new Set(paid.map(({ round }) => round)).size).toBe(paid.length);
  const payloads = new Set(paid.map(({ payload }) => Buffer.from(payload.digest).toString('hex')));
  expect(payloads.size).toBe(paid.length);
  before.ids = ids;
  before.epsilon = epsilon;
  return { records, state };
}

/** Every step that could have read a patient was paid for by a reservation that was on disk before it, and none by more steps than were reserved. */
async function checkJournal(folder: string, records: readonly VerifiedRecord[]): Promise<void> {
  const begun = new Map<number, number>();
  const lines = (await readFile(join(folder, 'journal'), 'utf8')).split('\n').filter(Boolean);
  for (const line of lines) begun.set(Number(line), (begun.get(Number(line)) ?? 0) + 1);
  expect(begun.size).toBeGreaterThan(killsEach / 4);
  for (const [index, steps] of begun) {
    const record = records[index]?.record;
    if (!record?.known || record.kind !== 'reserve') {
      throw new Error(`steps were taken on record ${index}, which is no reservation`);
    }
    expect(steps).toBeLessThanOrEqual(record.body.steps);
  }
}

/** Opens a copy, so that looking changes nothing. */
async function onDisk(folder: string): Promise<OnDisk> {
  const copy = `${folder}-looked-at`;
  await cp(folder, copy, { recursive: true });
  const level = new Level<string, Uint8Array>(join(copy, 'store'), { valueEncoding: 'view' });
  try {
    const log = await openLogStore(level.sublevel('log'), logPlaceOf);
    expect(log.repairs).toEqual([]);
    const { size } = log.head(privateKey.id);
    const entries = await log.read(privateKey.id, 0, {
      maxEntries: size,
      maxBytes: Number.MAX_SAFE_INTEGER,
    });
    expect(entries).toHaveLength(size);
    const records = entries.map(openRecord);
    const blobs = await openBlobStore(join(copy, 'blobs'));
    return { records, state: await replay(openRecord(foundingEnvelope).id, records, blobs) };
  } finally {
    await level.close();
    await rm(copy, { recursive: true });
  }
}
