import type { Role } from '@consilium/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiStudy } from './api-fixture.ts';
import { allRoles, ServedStudy, tokenOf } from './served-fixture.ts';
import { mostListeners } from './state-stream.ts';

const study = new ApiStudy();
const { evaluated } = await study.twoRounds();
let served: ServedStudy;

beforeEach(async () => {
  served = new ServedStudy(study);
  await served.start();
});
afterEach(async () => {
  await served.stop();
  expect(served.failures).toEqual([]);
});

describe('a file', () => {
  const path = `/v1/states/${evaluated.digest}/weights`;

  test('is named by its digest and comes in any part', async () => {
    const whole = await served.get(path);
    const bytes = Buffer.from(await whole.arrayBuffer());
    const etag = whole.headers.get('etag') ?? '';
    expect(etag).toBe(`"${evaluated.digest}"`);
    for (const [range, from, to] of [
      ['bytes=7-99', 7, 100],
      [`bytes=${bytes.length - 3}-`, bytes.length - 3, bytes.length],
      ['bytes=-11', bytes.length - 11, bytes.length],
    ] as const) {
      const part = await served.get(path, { range, 'if-range': etag });
      expect(part.status).toBe(206);
      expect(part.headers.get('content-range')).toBe(`bytes ${from}-${to - 1}/${bytes.length}`);
      expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(from, to));
      expect(part.headers.get('repr-digest')).toBe(whole.headers.get('repr-digest'));
    }
    const beyond = await served.get(path, { range: `bytes=${bytes.length}-` });
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get('content-range')).toBe(`bytes */${bytes.length}`);
  });

  test('is not sent again to who has it, and whole to who has another one', async () => {
    const etag = `"${evaluated.digest}"`;
    for (const known of [etag, '*', `"other", ${etag}`]) {
      const same = await served.get(path, { 'if-none-match': known });
      expect(same.status).toBe(304);
      expect(await same.text()).toBe('');
    }
    expect((await served.get(path, { 'if-none-match': '"other"' })).status).toBe(200);
    const changed = await served.get(path, { range: 'bytes=5-', 'if-range': '"other"' });
    expect(changed.status).toBe(200);
  });

  test('that tells more than its weights has another name when that changes', async () => {
    const etagNow = async () => (await served.get(`${path}?format=npz`)).headers.get('etag') ?? '';
    const before = await etagNow();
    expect(before).toMatch(new RegExp(`^"${evaluated.digest}\\.[0-9a-f]{16}"$`));
    study.evaluation(1, 2, evaluated, 20);
    expect(await etagNow()).not.toBe(before);
    expect((await served.get(path)).headers.get('etag')).toBe(`"${evaluated.digest}"`);
  });

  test.each(['safetensors', 'npz', 'onnx', 'payload'] as const)(
    'as %s is what the site signed',
    async (format) => {
      const { bytes, mediaType } = await served.client().file('latest', format);
      expect(bytes.length).toBeGreaterThan(4 * study.layout.length);
      expect(mediaType).toBe(`application/vnd.consilium.${format}`);
    },
  );
});

describe('events', () => {
  test('tell of the state that there is and of every new one, and say between that the node lives', async () => {
    const stopped = new AbortController();
    const events = served.client().events({ signal: stopped.signal });
    const first = await events.next();
    expect(first.value).toMatchObject({
      digest: served.state?.digest,
      rounds: 3,
      isComplete: true,
    });
    const next = events.next();
    served.clock.advance(20_000);
    served.state = evaluated;
    served.clock.advance(500);
    expect((await next).value).toMatchObject({ digest: evaluated.digest, rounds: 2 });
    stopped.abort(new Error('enough'));
    await expect(events.next()).rejects.toThrow('enough');
  });

  test('are for so many at once and no more, and cost nothing when nobody listens', async () => {
    const listening = await Promise.all(
      Array.from({ length: mostListeners }, (_, i) =>
        served.get('/v1/events', { authorization: `Bearer ${tokenOf(allRoles[i % 4] as Role)}` }),
      ),
    );
    expect(new Set(listening.map(({ status }) => status))).toEqual(new Set([200]));
    const refused = await served.get('/v1/events');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('30');
    expect(served.clock.waiting).toBe(1);
    await Promise.all(listening.map(({ body }) => body?.cancel()));
    while (served.stream.listeners > 0) await new Promise(setImmediate);
    served.clock.advance(1_000);
    expect(served.clock.waiting).toBe(0);
  });

  test('are for eight of one client', async () => {
    const mine = await Promise.all(Array.from({ length: 9 }, () => served.get('/v1/events')));
    expect(mine.map(({ status }) => status).sort()).toEqual([...Array(8).fill(200), 503]);
    await Promise.all(mine.map(({ body }) => body?.cancel()));
  });
});
