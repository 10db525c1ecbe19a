import { writeSync } from 'node:fs';
import {
  consistencyProof,
  createWitness,
  encodeCheckpoint,
  leafHash,
  merkleRoot,
  openWitnessStore,
  signCheckpoint,
} from '@consilium/log';
import { keyFromSeed, type SiteKey, sign } from '@consilium/records';
import { logKeyOf, verifyNote, witnessKeyOf } from '@consilium/study';
import { Level } from 'level';

/**
 * A witness on a real disk, and an author who tells two stories, in one process. It is killed by itself, hard, after `kill` writes, just when what it is about
 * to cosign is on disk and nothing has been answered. On its standard output:
 *
 *     asked <story> <size>
 *     put
 *     cosigned <story> <size>
 *     <another answer> <story> <size>
 *
 * Each life asks first for the other story than the one that `first` names, at every size, and only then for that one.
 */
const [folder = '', kill = '', first = ''] = process.argv.slice(2);
const author = keyOf(1);
const witnessKey = keyOf(2);
const study = new Uint8Array(32).fill(7);
const log = logKeyOf(study, author.id);

const level = new Level<string, Uint8Array>(folder, { valueEncoding: 'view' });
const store = openWitnessStore(level);
let puts = 0;
const witness = createWitness({
  store: {
    get: store.get,
    put: async (origin, note) => {
      await store.put(origin, note);
      say('put');
      puts += 1;
      if (puts === Number(kill)) process.kill(process.pid, 'SIGKILL');
    },
  },
  signer: {
    ...witnessKeyOf(study, witnessKey.id),
    sign: (message) => sign(message, witnessKey.secretKey),
  },
  verify: verifyNote,
  logKey: () => log,
  nowSeconds: () => 1_700_000_000,
});

let held = 0;
for (let size = 1; size <= 40; size += 1) {
  for (const story of first === 'a' ? ['b', 'a'] : ['a', 'b']) await ask(story, size);
}

/** Asks until the answer is no conflict: then the witness says what it has. */
async function ask(story: string, size: number): Promise<void> {
  say(`asked ${story} ${size}`);
  for (let tries = 0; tries < 3; tries += 1) {
    if (held > size) return;
    const leaves = Array.from({ length: size }, (_, i) =>
      Uint8Array.of(i, i < 2 ? 0 : story.charCodeAt(0)),
    );
    const signed = signCheckpoint(
      { size, root: merkleRoot(leaves) },
      { ...log, sign: (message) => sign(message, author.secretKey) },
    );
    const proof = held === 0 ? [] : consistencyProof(leaves.map(leafHash), held);
    const answer = await witness.cosign({
      oldSize: held,
      proof,
      checkpoint: encodeCheckpoint(signed),
    });
    say(`${answer.status} ${story} ${size}`);
    if (answer.status === 'cosigned') held = size;
    if (answer.status !== 'conflict') return;
    held = answer.size;
  }
}

function keyOf(n: number): SiteKey {
  return keyFromSeed(new Uint8Array(32).fill(n));
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}
