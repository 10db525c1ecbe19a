import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFrame, encodeFrames, frameReader } from './framing.ts';
import { manualClock } from './manual-clock.ts';

const LIMIT = 1000;
const init = { maxFrameBytes: LIMIT, idleTimeoutMs: 500, frameTimeoutMs: 100 };

async function* from<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
  }
  return items;
}

function cutUp(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

test('frames come back as they were, however the stream is cut up', async () => {
  const payload = fc.uint8Array({ minLength: 1, maxLength: LIMIT });
  const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(payload, { maxLength: 8 }), sizes, async (payloads, cuts) => {
      const stream = Buffer.concat(await collect(encodeFrames(from(payloads))));
      const read = frameReader(manualClock(), init)(from(cutUp(stream, cuts)));
      expect((await collect(read)).map((bytes) => [...bytes])).toEqual(
        payloads.map((bytes) => [...bytes]),
      );
    }),
    { seed: 1, numRuns: 100 },
  );
});

test.each([
  ['an empty frame', Uint8Array.of(0, 0, 0, 0), 'FRAME_MALFORMED'],
  ['a frame above the limit', encodeFrame(new Uint8Array(LIMIT + 1)), 'FRAME_TOO_LARGE'],
  ['a declared length of 4 GiB', Uint8Array.of(255, 255, 255, 255), 'FRAME_TOO_LARGE'],
  ['an end within the prefix', Uint8Array.of(0, 0, 1), 'FRAME_MALFORMED'],
  ['an end within the frame', Uint8Array.of(0, 0, 0, 9, 1), 'FRAME_MALFORMED'],
])('refuses %s', async (_, bytes, code) => {
  const read = collect(frameReader(manualClock(), init)(from([bytes])));
  await expect(read).rejects.toThrow(expect.objectContaining({ code }));
});

test('gives up on a frame that comes byte by byte, and on a silent stream, each after its time', async () => {
  const clock = manualClock();
  async function* trickle(): AsyncGenerator<Uint8Array, void, undefined> {
    yield Uint8Array.of(0, 0, 0, 200);
    for (let i = 0; i < 200; i += 1) {
      clock.advance(1);
      yield Uint8Array.of(i);
    }
  }
  const slow = collect(frameReader(clock, init)(trickle()));
  await expect(slow).rejects.toThrow('the rest of a frame');
  async function* silence(): AsyncGenerator<Uint8Array, void, undefined> {
    await new Promise(() => {});
    yield Uint8Array.of(0);
  }
  const began = clock.now();
  const silent = expect(collect(frameReader(clock, init)(silence()))).rejects.toThrow(
    'the wait for a frame took longer than 500 ms',
  );
  await Promise.resolve();
  clock.advance(500);
  await silent;
  expect(clock.now() - began).toBe(500);
});
