import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openBlobStore, openLogStore } from '@consilium/log';
import { logPlaceOf } from '@consilium/records';
import { Level } from 'level';
import { expect, test } from 'vitest';

const KILLS = 32;
const child = join(import.meta.dirname, 'log-crash-child.ts');

/** What the child was promised, over all its lives. */
interface Promised {
  entries: Map<string, string>; // "<author> <index>" → id
  blobs: Set<string>;
  partials: Map<string, { size: number; received: number }>;
}

test(`loses nothing acknowledged and serves nothing half-written over ${KILLS} kills`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consilium-crash-'));
  const promised: Promised = { entries: new Map(), blobs: new Set(), partials: new Map() };
  let killedBeforeReady = 0;
  try {
    for (let life = 0; life < KILLS; life += 1) {
      const ready = await runAndKill(folder, promised, life);
      if (!ready) killedBeforeReady += 1;
      // Every other life begins on what the one before left, unseen by anybody else.
      if (life % 2 === 1 || life === KILLS - 1) await checkPromises(folder, promised);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  expect(killedBeforeReady).toBeLessThan(KILLS / 2);
  expect(promised.entries.size).toBeGreaterThan(KILLS);
  expect(promised.blobs.size).toBeGreaterThan(KILLS);
}, 180_000);

/** Runs the child and kills it: mostly a few ms after it said its n-th line, every eighth time while it still opens. */
async function runAndKill(folder: string, promised: Promised, life: number): Promise<boolean> {
  const running = spawn(
    process.execPath,
    ['--conditions=@consilium/source', '--disable-warning=ExperimentalWarning', child, folder],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = once(running, 'exit');
  const closed = once(running, 'close');
  // A fixed sequence of moments; where they fall in the child's work differs from run to run, as it should.
  const lines = 1 + ((life * 17) % 19);
  let output = '';
  let errors = '';
  const said = new Promise<void>((resolve) => {
    running.stdout.on('data', (data: Buffer) => {
      output += data.toString('latin1');
      if (output.split('\n').length > lines) resolve();
    });
  });
  running.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  if (life % 8 === 7) await delay(40 + life * 5);
  else await Promise.race([said.then(() => delay(life % 7)), exited]);
  running.kill('SIGKILL');
  const [code, signal] = await exited;
  await closed;
  expect({ code, signal, errors }).toEqual({ code: null, signal: 'SIGKILL', errors: '' });
  // A line cut in two by the kill was not said.
  for (const line of output.split('\n').slice(0, -1)) note(line, promised);
  return output.includes('ready\n');
}

function note(line: string, promised: Promised): void {
  const [word, first = '', second = '', third = ''] = line.split(' ');
  if (word === 'entry') promised.entries.set(`${first} ${second}`, third);
  if (word === 'blob') promised.blobs.add(first);
  if (word === 'partial') {
    promised.partials.set(first, { size: Number(second), received: Number(third) });
  }
  if (word === 'committed') {
    promised.partials.delete(first);
    promised.blobs.add(first);
  }
}

async function checkPromises(folder: string, promised: Promised): Promise<void> {
  await checkLog(join(folder, 'index'), promised);
  await checkBlobs(join(folder, 'blobs'), promised);
}

async function checkLog(path: string, promised: Promised): Promise<void> {
  const level = new Level<string, string>(path);
  try {
    const log = await openLogStore(level, logPlaceOf);
    expect(log.repairs).toEqual([]);
    const found = new Map<string, string>();
    for (const { author, size } of log.heads()) {
      const entries = await log.read(author, 0, {
        maxEntries: size,
        maxBytes: Number.MAX_SAFE_INTEGER,
      });
      expect(entries).toHaveLength(size);
      for (const entry of entries) {
        const { index, id } = logPlaceOf(entry);
        found.set(`${author} ${index}`, Buffer.from(id).toString('hex'));
      }
    }
    expect([...promised.entries].filter(([place, id]) => found.get(place) !== id)).toEqual([]);
  } finally {
    await level.close();
  }
}

async function checkBlobs(path: string, promised: Promised): Promise<void> {
  const blobs = await openBlobStore(path);
  await checkFiles(join(path, 'blobs'));
  for (const digest of promised.blobs) {
    expect(await blobs.has(digest)).toBe(true);
  }
  for (const [digest, { size, received }] of promised.partials) {
    expect((await blobs.partial(digest, size)).received).toBeGreaterThanOrEqual(received);
  }
}

/** Whether every file under a digest's name has that digest, whoever was killed when. */
async function checkFiles(path: string): Promise<void> {
  const files = await readdir(path, { recursive: true, withFileTypes: true });
  for (const file of files.filter((each) => each.isFile())) {
    const bytes = await readFile(join(file.parentPath, file.name));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.name);
  }
}
