import { createHash, randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { type BlobStore, type LogStore, openBlobStore, openLogStore } from '@consilium/log';
import { keyFromSeed, logPlaceOf, type SiteKey, signRecord } from '@consilium/records';
import { Level } from 'level';

/**
 * Writes into a folder until it is killed, and says on its standard output what it was promised to keep:
 *
 *     ready
 *     entry <author> <index> <id>
 *     blob <digest>
 *     partial <digest> <size> <bytes received>
 *     committed <digest>
 *
 * A line goes out, synchronously, only after the promise it reports was fulfilled.
 */
const [folder = ''] = process.argv.slice(2);
const study = new Uint8Array(32).fill(1);
const keys = [1, 2].map((n) => keyFromSeed(new Uint8Array(32).fill(n)));

const level = new Level<string, string>(join(folder, 'index'));
const log = await openLogStore(level, logPlaceOf);
const blobs = await openBlobStore(join(folder, 'blobs'));
say('ready');
for (let turn = 1; ; turn += 1) {
  await Promise.all([...keys.map((key) => append(log, key)), put(blobs, turn), fetchPiece(blobs)]);
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function append(store: LogStore, key: SiteKey): Promise<void> {
  const { size, last } = store.head(key.id);
  const entry = signRecord(key, {
    kind: 'crash-test',
    version: 1,
    study,
    author: key.id,
    index: size,
    previous: last,
    heads: [],
    known: false,
    body: new Uint8Array(randomBytes(size % 20 === 19 ? 60_000 : 200)),
  });
  const { index, status } = await store.append(entry);
  if (status !== 'appended') throw new Error(`entry ${index} is ${status}`);
  say(`entry ${key.id} ${index} ${Buffer.from(logPlaceOf(entry).id).toString('hex')}`);
}

async function put(store: BlobStore, turn: number): Promise<void> {
  const bytes = new Uint8Array(turn % 4 === 3 ? 1_000_000 : turn * 5000);
  bytes.set(randomBytes(16));
  say(`blob ${await store.put(bytes)}`);
}

/** Fetches the next piece of the first numbered blob that is not here yet: this life goes on where the last was killed. */
async function fetchPiece(store: BlobStore): Promise<void> {
  for (let n = 0; ; n += 1) {
    const bytes = new Uint8Array(100_000).fill(n);
    const digest = createHash('sha256').update(bytes).digest('hex');
    if (await store.has(digest)) continue;
    const partial = await store.partial(digest, bytes.length);
    await partial.write(bytes.slice(partial.received, partial.received + 40_000));
    say(`partial ${digest} ${bytes.length} ${partial.received}`);
    if (partial.received < bytes.length) return;
    await partial.commit();
    say(`committed ${digest}`);
    return;
  }
}
