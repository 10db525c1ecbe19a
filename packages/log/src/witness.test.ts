import { describe, expect, test } from 'vitest';
import { encodeCheckpoint, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { openCosignature } from './cosignature.ts';
import { LogError } from './error.ts';
import { encodeText, formatNote, noteKeyId, parseNote } from './signed-note.ts';
import { testLog, testSeed, testVerify } from './test-signer.ts';
import { emptyRoot } from './tree.ts';
import { createWitness } from './witness.ts';
import {
  checkpointOf,
  cosignedSize,
  log,
  otherLog,
  requestOf,
  story,
  testStore,
  testWitnessOn,
  witnessKey,
} from './witness-fixture.ts';
import { provesSplitView } from './witness-split-view.ts';

const honest = story(0, 0, 40);
/** The same up to 11 leaves, another story from there on. */
const lie = story(1, 11, 40);

test('cosigns a log that it meets, and then whatever it grows into', async () => {
  const store = testStore();
  const witness = testWitnessOn(store);
  let last = 0;
  for (const size of [7, 8, 19, 40]) {
    const request = requestOf(honest, last, size);
    const answer = await witness.cosign(request);
    expect(cosignedSize(answer, request)).toBe(size);
    expect(store.notes.get(log.name)).toEqual(request.checkpoint);
    last = size;
  }
});

test('gives its word for the time at which it was asked', async () => {
  const witness = testWitnessOn(testStore());
  const request = requestOf(honest, 0, 7);
  const first = await witness.cosign(request);
  const again = await witness.cosign(requestOf(honest, 7, 7));
  const times = [first, again].map((answer) => {
    if (answer.status !== 'cosigned') throw new TypeError(answer.status);
    const opened = openCheckpoint(request.checkpoint, log, testVerify);
    return openCosignature(opened, answer.cosignature, witnessKey, testVerify).timestampSeconds;
  });
  expect(times).toEqual([1_700_000_001, 1_700_000_002]);
});

test('tells who believes another size which one it cosigned last', async () => {
  const witness = testWitnessOn(testStore());
  expect(await witness.cosign(requestOf(honest, 5, 19))).toEqual({ status: 'conflict', size: 0 });
  await witness.cosign(requestOf(honest, 0, 19));
  for (const [oldSize, size] of [
    [0, 40],
    [18, 40],
    [20, 40],
    [7, 7],
    [7, 18],
    [0, 19],
    [7, 19],
  ] as const) {
    expect(await witness.cosign(requestOf(honest, oldSize, size))).toEqual({
      status: 'conflict',
      size: 19,
    });
  }
  expect(await witness.cosign(requestOf(honest, 19, 40))).toMatchObject({ status: 'cosigned' });
});

test('never cosigns a shorter tree', async () => {
  const witness = testWitnessOn(testStore());
  await witness.cosign(requestOf(honest, 0, 19));
  for (let size = 0; size < 19; size += 1) {
    const checkpoint = checkpointOf(honest, size);
    for (const oldSize of [0, size, 19]) {
      const { status } = await witness.cosign({ oldSize, proof: [], checkpoint });
      expect(status).toBe(oldSize > size ? 'malformed' : 'conflict');
    }
  }
});

test('does not cosign a tree that did not grow from the one before', async () => {
  const store = testStore();
  const witness = testWitnessOn(store);
  const first = requestOf(honest, 0, 19);
  await witness.cosign(first);
  const inconsistent = { status: 'inconsistent' };
  expect(await witness.cosign(requestOf(lie, 19, 40))).toEqual(inconsistent);
  const { proof, ...rest } = requestOf(honest, 19, 40);
  for (const broken of [[], proof.slice(1), [...proof, ...proof.slice(0, 1)], proof.toReversed()]) {
    expect(await witness.cosign({ ...rest, proof: broken })).toEqual(inconsistent);
  }
  expect(store.notes.get(log.name)).toEqual(first.checkpoint);
});

test('wants no proof where there is nothing to prove', async () => {
  const { proof } = requestOf(honest, 7, 19);
  const witness = testWitnessOn(testStore());
  expect(await witness.cosign({ ...requestOf(honest, 0, 19), proof })).toEqual({
    status: 'inconsistent',
  });
  await witness.cosign(requestOf(honest, 0, 19));
  expect(await witness.cosign({ ...requestOf(honest, 19, 19), proof })).toEqual({
    status: 'inconsistent',
  });
});

test('cosigns the empty tree, and every tree after it', async () => {
  const witness = testWitnessOn(testStore());
  const empty = encodeCheckpoint(signCheckpoint({ size: 0, root: emptyRoot() }, log));
  for (const request of [{ oldSize: 0, proof: [], checkpoint: empty }, requestOf(honest, 0, 19)]) {
    expect(await witness.cosign(request)).toMatchObject({ status: 'cosigned' });
  }
  expect(await witness.cosign({ oldSize: 0, proof: [], checkpoint: empty })).toEqual({
    status: 'conflict',
    size: 19,
  });
});

test('returns the proof when a log tells another story about a size that it cosigned, whatever the old size', async () => {
  const store = testStore();
  const witness = testWitnessOn(store);
  const first = requestOf(honest, 0, 19);
  await witness.cosign(first);
  for (const oldSize of [0, 7, 19]) {
    const answer = await witness.cosign(requestOf(lie, oldSize, 19));
    if (answer.status !== 'split-view') throw new TypeError(answer.status);
    expect(provesSplitView(answer.evidence, log, testVerify)).toBe(true);
    expect(answer.evidence).toEqual({ first: first.checkpoint, second: checkpointOf(lie, 19) });
  }
  expect(store.notes.get(log.name)).toEqual(first.checkpoint);
  expect(await witness.cosign(requestOf(honest, 19, 40))).toMatchObject({ status: 'cosigned' });
});

test('keeps logs apart', async () => {
  const witness = testWitnessOn(testStore());
  await witness.cosign(requestOf(honest, 0, 19));
  const request = requestOf(lie, 0, 19, otherLog);
  expect(cosignedSize(await witness.cosign(request), request, otherLog)).toBe(19);
  expect(await witness.cosign(requestOf(honest, 19, 40))).toMatchObject({ status: 'cosigned' });
});

describe('does not look further than', () => {
  const request = requestOf(honest, 0, 19);
  const { text } = parseNote(request.checkpoint);
  const witness = testWitnessOn(testStore());
  const thief = testLog(log.name, testSeed(8));
  const stranger = testLog('stranger.example', testSeed(3));
  const { proof } = requestOf(honest, 7, 19);

  test.each([
    ['bytes that are no note', 'malformed', { checkpoint: encodeText('x') }],
    ['a note that is no checkpoint', 'malformed', { checkpoint: signedText('a\nb\nc\n') }],
    [
      'a log that it does not watch',
      'unknown-log',
      { checkpoint: checkpointOf(honest, 19, stranger) },
    ],
    [
      'a checkpoint that a thief signed',
      'bad-signature',
      { checkpoint: checkpointOf(honest, 19, thief) },
    ],
    ['another text under the log’s signature', 'bad-signature', { checkpoint: retold() }],
    ['an old size above the new one', 'malformed', { oldSize: 20 }],
    ['a negative old size', 'malformed', { oldSize: -1 }],
    ['a fractional old size', 'malformed', { oldSize: 6.5 }],
    ['an old size that is no number', 'malformed', { oldSize: Number.NaN }],
    ['64 hashes', 'malformed', { proof: Array.from({ length: 64 }, () => new Uint8Array(32)) }],
    ['a hash of 31 bytes', 'malformed', { oldSize: 7, proof: [new Uint8Array(31), ...proof] }],
  ])('%s: %s', async (_, status, change) => {
    expect(await witness.cosign({ ...request, ...change })).toEqual({ status });
  });

  function signedText(text: string): Uint8Array {
    const signature = {
      name: log.name,
      keyId: noteKeyId(log),
      signature: log.sign(encodeText(text)),
    };
    return formatNote({ text, signatures: [signature] });
  }

  function retold(): Uint8Array {
    const { signatures } = parseNote(request.checkpoint);
    return formatNote({ text: text.replace('\n19\n', '\n18\n'), signatures });
  }
});

test('keeps one signature of the log and nothing else that was added', async () => {
  const store = testStore();
  const { checkpoint, ...rest } = requestOf(honest, 0, 19);
  const { text, signatures } = parseNote(checkpoint);
  const added = { name: 'stranger.example', keyId: 7, signature: new Uint8Array(5000) };
  const answer = await testWitnessOn(store).cosign({
    ...rest,
    checkpoint: formatNote({ text, signatures: [added, ...signatures, ...signatures] }),
  });
  expect(answer).toMatchObject({ status: 'cosigned' });
  expect(store.notes.get(log.name)).toEqual(checkpoint);
});

test('has stored what it cosigns before there is a signature', async () => {
  const store = testStore();
  const request = requestOf(honest, 0, 19);
  const seen: (Uint8Array | undefined)[] = [];
  const sign = (message: Uint8Array): Uint8Array => {
    seen.push(store.notes.get(log.name));
    return witnessKey.sign(message);
  };
  await testWitnessOn(store, { ...witnessKey, sign }).cosign(request);
  expect(seen).toEqual([request.checkpoint]);
});

test.each(['before', 'after'] as const)(
  'after a crash %s the write, another witness on its disk goes on',
  async (moment) => {
    const store = testStore();
    await testWitnessOn(store).cosign(requestOf(honest, 0, 11));
    store.failNext = moment;
    await expect(testWitnessOn(store).cosign(requestOf(honest, 11, 19))).rejects.toThrow('power');
    const restarted = testWitnessOn(store);
    const oldSize = moment === 'before' ? 11 : 19;
    const other = await restarted.cosign(requestOf(lie, oldSize, 19));
    expect(other).toMatchObject({ status: moment === 'before' ? 'cosigned' : 'split-view' });
    if (moment === 'after') {
      const again = requestOf(honest, 19, 19);
      expect(await restarted.cosign(requestOf(honest, 11, 19))).toEqual({
        status: 'conflict',
        size: 19,
      });
      expect(cosignedSize(await restarted.cosign(again), again)).toBe(19);
    }
  },
);

test('writes again what it is asked for again, since an earlier write may have failed half way', async () => {
  const store = testStore();
  store.failNext = 'after';
  const witness = testWitnessOn(store);
  await expect(witness.cosign(requestOf(honest, 0, 19))).rejects.toThrow('power');
  store.failNext = 'before';
  await expect(witness.cosign(requestOf(honest, 19, 19))).rejects.toThrow('power');
});

test('goes on after a signer that failed, with the same tree', async () => {
  const store = testStore();
  const sign = (): Uint8Array => {
    throw new Error('the key is locked');
  };
  const broken = testWitnessOn(store, { ...witnessKey, sign });
  await expect(broken.cosign(requestOf(honest, 0, 19))).rejects.toThrow('locked');
  const request = requestOf(honest, 19, 19);
  expect(cosignedSize(await testWitnessOn(store).cosign(request), request)).toBe(19);
});

test('of two requests at once, for two stories, cosigns the first', async () => {
  const witness = testWitnessOn(testStore());
  const [first, second, longer] = await Promise.all([
    witness.cosign(requestOf(honest, 0, 19)),
    witness.cosign(requestOf(lie, 0, 19)),
    witness.cosign(requestOf(lie, 0, 40)),
  ]);
  expect([first?.status, second?.status, longer?.status]).toEqual([
    'cosigned',
    'split-view',
    'conflict',
  ]);
});

test('checks what was asked, not what the caller made of it meanwhile', async () => {
  const witness = testWitnessOn(testStore());
  await witness.cosign(requestOf(honest, 0, 19));
  const { proof, checkpoint, oldSize } = requestOf(honest, 19, 40);
  const answer = witness.cosign({ oldSize, proof, checkpoint });
  for (const bytes of [...proof, checkpoint]) bytes.fill(0);
  expect(await answer).toMatchObject({ status: 'cosigned' });
});

test.each([
  ['a size', (note: string) => note.replace('\n19\n', '\n18\n')],
  ['a signature', (note: string) => note.replace(/[A-Z](?=[^\n]*\n$)/, 'x')],
  ['everything', () => ''],
  ['the log', () => new TextDecoder().decode(checkpointOf(honest, 19, otherLog))],
])('cosigns nothing when its disk changed what it stored: %s', async (_, damage) => {
  const store = testStore();
  await testWitnessOn(store).cosign(requestOf(honest, 0, 19));
  const note = new TextDecoder().decode(store.notes.get(log.name));
  expect(damage(note)).not.toBe(note);
  store.notes.set(log.name, encodeText(damage(note)));
  for (const oldSize of [0, 18, 19]) {
    const answer = testWitnessOn(store).cosign(requestOf(honest, oldSize, 40));
    await expect(answer).rejects.toMatchObject({ code: 'STORE', cause: expect.any(LogError) });
  }
});

test('refuses to work with another log’s key', async () => {
  const witness = createWitness({
    store: testStore(),
    signer: witnessKey,
    verify: testVerify,
    logKey: () => otherLog,
    nowSeconds: () => 7,
  });
  await expect(witness.cosign(requestOf(honest, 0, 19))).rejects.toThrow(RangeError);
});
