import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CosignAnswer, CosignRequest, Witness } from './witness.ts';
import {
  checkpointOf,
  cosignedSize,
  log,
  otherLog,
  requestOf,
  story,
  type TestStore,
  testStore,
  testWitnessOn,
} from './witness-fixture.ts';

const LENGTH = 12;
/** After how many leaves a story parts from story 0. */
const PARTS = [LENGTH, 5, 8] as const;
const stories = [
  story(0, PARTS[0], LENGTH),
  story(1, PARTS[1], LENGTH),
  story(2, PARTS[2], LENGTH),
] as const;
const logs = [log, otherLog] as const;

/** How many first leaves two stories share. */
function shared(a: number, b: number): number {
  return a === b ? LENGTH : Math.min(PARTS[a] ?? 0, PARTS[b] ?? 0);
}

/** What an adversary asks for: a checkpoint of one story, and a proof that may be of another or of other sizes. */
interface Ask {
  readonly log: 0 | 1;
  readonly story: 0 | 1 | 2;
  readonly size: number;
  readonly oldSize: number;
  readonly proof: 'honest' | 'none' | 'other-story' | 'other-size';
  readonly crash: 'no' | 'before' | 'after' | 'restart';
}

const ask: fc.Arbitrary<Ask> = fc.record({
  log: fc.constantFrom(0, 0, 0, 1),
  story: fc.constantFrom(0, 1, 2),
  size: fc.integer({ min: 1, max: LENGTH }),
  oldSize: fc.integer({ min: 0, max: LENGTH }),
  proof: fc.constantFrom('honest', 'honest', 'honest', 'none', 'other-story', 'other-size'),
  crash: fc.constantFrom('no', 'no', 'no', 'no', 'before', 'after', 'restart'),
});

/** Of these, many ask with the size that was last cosigned, as an author does that goes on from the answer. */
const asks = fc.array(fc.tuple(ask, fc.boolean()), { minLength: 1, maxLength: 25 });

function requestFor(asked: Ask): CosignRequest {
  const { size, oldSize } = asked;
  const signer = logs[asked.log];
  const honest = requestOf(stories[asked.story], oldSize, size, signer);
  switch (asked.proof) {
    case 'honest':
      return honest;
    case 'none':
      return { ...honest, proof: [] };
    case 'other-story':
      return {
        ...honest,
        proof: requestOf(stories[asked.story === 0 ? 1 : 0], oldSize, size, signer).proof,
      };
    case 'other-size':
      return {
        ...honest,
        proof: requestOf(stories[asked.story], Math.max(1, oldSize - 1), size, signer).proof,
      };
  }
}

/** What was cosigned: the story's first `size` leaves. */
interface Held {
  readonly story: Ask['story'];
  readonly size: number;
}

/** What a witness has to answer that holds `held`, knowing what no witness knows: which story it was told. */
function expected(
  held: Held | undefined,
  { story, size, oldSize }: Ask,
  proofIsRight: boolean,
): CosignAnswer['status'] {
  if (oldSize > size) return 'malformed';
  const heldSize = held?.size ?? 0;
  if (held !== undefined && size === heldSize && shared(held.story, story) < size)
    return 'split-view';
  if (oldSize !== heldSize) return 'conflict';
  if (held !== undefined && shared(held.story, story) < heldSize) return 'inconsistent';
  return proofIsRight ? 'cosigned' : 'inconsistent';
}

function sameHashes(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return (
    a.length === b.length &&
    a.every((hash, i) => Buffer.compare(hash, b[i] ?? new Uint8Array()) === 0)
  );
}

/** All that were cosigned in this order are the beginnings of one story, each no shorter than the one before. */
function isOneStory(cosigned: readonly Held[]): boolean {
  return cosigned.every((held, i) => {
    const before = cosigned[i - 1];
    return (
      before === undefined ||
      (before.size <= held.size && shared(before.story, held.story) >= before.size)
    );
  });
}

test('whatever it is asked, and whenever the power goes, a witness answers as it must and cosigns one story', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(asks, async (sequence) => {
      const store = testStore();
      let witness = testWitnessOn(store);
      const held: (Held | undefined)[] = [undefined, undefined];
      const cosigned: Held[][] = [[], []];
      for (const [drawn, goesOn] of sequence) {
        const oldSize = goesOn ? (held[drawn.log]?.size ?? 0) : drawn.oldSize;
        const asked = { ...drawn, oldSize };
        const request = requestFor(asked);
        if (asked.crash === 'restart') witness = testWitnessOn(store);
        const failure = asked.crash === 'before' || asked.crash === 'after' ? asked.crash : null;
        store.failNext = failure;
        const answer = await answerOf(witness, request);
        const proofIsRight =
          oldSize > asked.size ||
          sameHashes(request.proof, requestFor({ ...asked, proof: 'honest' }).proof);
        const status = expected(held[asked.log], asked, proofIsRight);
        const { story, size } = asked;
        expect(answer?.status).toBe(status === 'cosigned' && failure !== null ? undefined : status);
        if (answer?.status === 'conflict') expect(answer.size).toBe(held[asked.log]?.size ?? 0);
        if (answer?.status === 'cosigned') {
          expect(cosignedSize(answer, request, logs[asked.log])).toBe(size);
          cosigned[asked.log]?.push({ story, size });
        }
        if (status === 'cosigned' && asked.crash !== 'before') held[asked.log] = { story, size };
        store.failNext = null;
        if (answer === undefined) witness = testWitnessOn(store);
        const what = answer?.status ?? `crash ${asked.crash}`;
        seen.set(what, (seen.get(what) ?? 0) + 1);
      }
      expect(cosigned.every(isOneStory)).toBe(true);
    }),
    { seed: 4711, numRuns: 150 },
  );
  // Every way must have been gone, or the property says little.
  for (const what of [
    'cosigned',
    'conflict',
    'inconsistent',
    'split-view',
    'malformed',
    'crash before',
    'crash after',
  ]) {
    expect(seen.get(what) ?? 0, what).toBeGreaterThan(10);
  }
});

test('asked by many at once, a witness cosigns one story of each log', async () => {
  let cosignedLogs = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(ask, { minLength: 2, maxLength: 8 }),
      fc.scheduler(),
      async (batch, scheduler) => {
        const store = testStore();
        const witness = testWitnessOn(slow(store, scheduler));
        const order: Held[][] = [[], []];
        const all = [
          ...batch,
          ...batch.map((asked): Ask => ({ ...asked, oldSize: 0, proof: 'none' })),
        ];
        const answers = all.map(async (asked) => {
          const request = requestFor(asked);
          const answer = await witness.cosign(request);
          const size = cosignedSize(answer, request, logs[asked.log]);
          if (size !== undefined) order[asked.log]?.push({ story: asked.story, size });
        });
        await scheduler.waitFor(Promise.all(answers));
        expect(order.every(isOneStory)).toBe(true);
        for (const [i, signer] of logs.entries()) {
          const last = order[i]?.at(-1);
          const stored = store.notes.get(signer.name);
          expect(stored).toEqual(last && checkpointOf(stories[last.story], last.size, signer));
          if ((order[i]?.length ?? 0) > 0) cosignedLogs += 1;
        }
      },
    ),
    { seed: 815, numRuns: 100 },
  );
  expect(cosignedLogs).toBeGreaterThan(100);
});

/** The answer, or `undefined` when the power went. */
async function answerOf(
  witness: Witness,
  request: CosignRequest,
): Promise<CosignAnswer | undefined> {
  try {
    return await witness.cosign(request);
  } catch (error) {
    expect(error).toMatchObject({ message: 'the power went' });
    return undefined;
  }
}

/** A store whose reads and writes end in an order that the scheduler chooses. */
function slow(store: TestStore, scheduler: fc.Scheduler): TestStore {
  return {
    ...store,
    get: (origin) =>
      scheduler.schedule(Promise.resolve(), `get ${origin}`).then(() => store.get(origin)),
    put: (origin, note) =>
      scheduler.schedule(Promise.resolve(), `put ${origin}`).then(() => store.put(origin, note)),
  };
}
