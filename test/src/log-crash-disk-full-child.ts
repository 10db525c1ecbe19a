import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LogError, openBlobStore, openLogStore } from '@consilium/log';
import { keyFromSeed, logPlaceOf, signRecord } from '@consilium/records';
import { Level } from 'level';

/** Fills the 2 MB disk at the folder given, tries everything on it, makes room again, and reports as one JSON line. */
const [folder = ''] = process.argv.slice(2);
const ballast = join(folder, 'ballast');
const blobs = await openBlobStore(join(folder, 'blobs'));
const level = new Level<string, string>(join(folder, 'index'));
const log = await openLogStore(level, logPlaceOf);
const key = keyFromSeed(new Uint8Array(32).fill(1));

const small = await blobs.put(new Uint8Array(1000).fill(1));
const large = new Uint8Array(randomBytes(700_000));
const largeDigest = digestOf(large);
const fetched = new Uint8Array(randomBytes(500_000));
const partial = await blobs.partial(digestOf(fetched), fetched.length);
await partial.write(fetched.slice(0, 300_000));
await append(100);
await fillUp();

const putRefused = await codeOf(blobs.put(large));
const putServed = (await blobs.has(largeDigest)) || (await blobs.get(largeDigest)) !== undefined;
const partialRefused = await codeOf(partial.write(fetched.slice(300_000)));
const partialKept = partial.received;
const before = log.head(key.id);
const appendRefused = await codeOf(append(200_000));
const after = log.head(key.id);
const readable = await log.read(key.id, 0, { maxEntries: 10, maxBytes: 1_000_000 });
const entriesReadable = after === before && readable.length === before.size;
const temporaries = await readdir(join(folder, 'blobs', 'temporary'));
const smallBlobStillThere = (await blobs.get(small)) !== undefined;

await rm(ballast);
const putAfterRoom = (await blobs.put(large)) === largeDigest;
await partial.write(fetched.slice(300_000));
await partial.commit();
const partialAfterRoom = await blobs.has(digestOf(fetched));
await level.close();

const reopened = new Level<string, string>(join(folder, 'index'));
const again = await openLogStore(reopened, logPlaceOf);
const whole = again.repairs.length === 0 && again.head(key.id).size >= before.size;
await reopened.close();

process.stdout.write(
  JSON.stringify({
    putRefused,
    putServed,
    partialRefused,
    partialKept,
    appendRefused,
    entriesReadable,
    temporaries,
    smallBlobStillThere,
    putAfterRoom,
    partialAfterRoom,
    logAfterReopen: whole ? 'whole' : again.repairs,
  }),
);

async function append(bytes: number): Promise<void> {
  const { size, last } = log.head(key.id);
  const entry = signRecord(key, {
    kind: 'crash-test',
    version: 1,
    study: new Uint8Array(32),
    author: key.id,
    index: size,
    previous: last,
    heads: [],
    known: false,
    body: new Uint8Array(bytes),
  });
  await log.append(entry);
}

/** Writes to the disk until nothing more goes in. */
async function fillUp(): Promise<void> {
  for (let bytes = 65_536; bytes >= 1; bytes /= 2) {
    for (;;) {
      try {
        await writeFile(ballast, new Uint8Array(bytes), { flag: 'a' });
      } catch {
        break; // full for this size
      }
    }
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'fulfilled';
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    return error.code;
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
