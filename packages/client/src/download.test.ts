import { beforeEach, describe, expect, test } from 'vitest';
import { download } from './download.ts';
import { type Asked, componentsOn, type Said, SigningNode } from './signing-node-fixture.ts';

const file = Uint8Array.from({ length: 5000 }, (_, i) => (7 * i) % 251);
const contentType = 'application/vnd.consilium.payload';
const target = '/v1/states/latest/weights?format=payload';

/** Pieces of a file, and then a broken line unless it is whole. */
function pieces(bytes: Uint8Array, breaksAfter: number): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < Math.min(bytes.length, breaksAfter); at += 600)
        controller.enqueue(bytes.slice(at, Math.min(at + 600, breaksAfter)));
      if (breaksAfter < bytes.length) setImmediate(() => controller.error(new Error('line broke')));
      else controller.close();
    },
  });
}

/** Serves the file from where it is asked for, and breaks off after so many bytes of each answer. */
function serving(breaksAfter: readonly number[], etag = '"1"', whole = file) {
  let answers = 0;
  return ({ headers }: Asked): Said => {
    const limit = breaksAfter[answers++] ?? Number.POSITIVE_INFINITY;
    const [, from] = /^bytes=(\d+)-$/.exec(headers['range'] ?? '') ?? [];
    const isPart = from !== undefined && headers['if-range'] === etag;
    const start = isPart ? Number(from) : 0;
    const part = whole.slice(start);
    return {
      status: isPart ? 206 : 200,
      contentType,
      body: whole,
      sent: pieces(part, limit),
      headers: {
        etag,
        'content-length': String(part.length),
        ...(isPart
          ? { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` }
          : {}),
      },
    };
  };
}

let node: SigningNode;
let components: ReturnType<typeof componentsOn>;
beforeEach(() => {
  node = new SigningNode(serving([]));
  components = componentsOn(node);
});
const from = (): Parameters<typeof download>[1] => ({ address: node.address, site: node.key.id });

test('gets a whole file and says how far it is', async () => {
  const seen: number[] = [];
  const { bytes, etag, mediaType } = await download(components, from(), target, {
    onProgress: (done, total) => {
      expect(total).toBe(file.length);
      seen.push(done);
    },
  });
  expect(bytes).toEqual(file);
  expect([etag, mediaType]).toEqual(['"1"', contentType]);
  expect(seen.at(-1)).toBe(file.length);
  expect(node.asked).toHaveLength(1);
});

test('goes on where the line broke, as often as it breaks', async () => {
  node.answer = serving([1234, 1, 2000]);
  expect((await download(components, from(), target)).bytes).toEqual(file);
  expect(node.asked.map(({ headers }) => headers['range'])).toEqual([
    undefined,
    'bytes=1234-',
    'bytes=1235-',
    'bytes=3235-',
  ]);
  expect(new Set(node.asked.map(({ nonce }) => nonce)).size).toBe(4);
});

test('begins anew when the file has become another one', async () => {
  const first = serving([1234]);
  const later = Uint8Array.from(file, (value) => value ^ 1);
  const second = serving([], '"2"', later);
  node.answer = (asked) => (node.asked.length === 1 ? first(asked) : second(asked));
  expect(await download(components, from(), target)).toMatchObject({ bytes: later, etag: '"2"' });
});

describe('does not return what the site did not sign', () => {
  test('when one byte is another', async () => {
    node.answer = (asked) => {
      const changed = file.slice();
      changed[4321] = 1 + (changed[4321] as number);
      return { ...serving([])(asked), sent: changed };
    };
    await expect(download(components, from(), target)).rejects.toMatchObject({ code: 'SIGNATURE' });
  });

  test('when the parts are of two files under one name', async () => {
    const first = serving([1234]);
    const second = serving([], '"1"', file.toReversed());
    node.answer = (asked) => (node.asked.length === 1 ? first(asked) : second(asked));
    await expect(download(components, from(), target)).rejects.toMatchObject({ code: 'ANSWER' });
  });

  test('when the answer is not signed', async () => {
    node.answer = (asked) => ({ ...serving([])(asked), isSigned: false });
    await expect(download(components, from(), target)).rejects.toMatchObject({ code: 'SIGNATURE' });
  });

  test.each([
    ['another part', { 'content-range': `bytes 99-${file.length - 1}/${file.length}` }],
    ['a part of another size', { 'content-range': `bytes 1234-${file.length}/${file.length + 1}` }],
    ['a part without a place', { 'content-range': 'bytes */5000' }],
  ])('when %s comes than was asked for', async (_, headers) => {
    const first = serving([1234]);
    node.answer = (asked) => {
      const said = first(asked);
      return node.asked.length === 1 ? said : { ...said, headers: { ...said.headers, ...headers } };
    };
    await expect(download(components, from(), target)).rejects.toMatchObject({ code: 'ANSWER' });
  });
});

test.each([
  ['more bytes than were announced', '4999', 'ANSWER'],
  ['more than any file has', '268435457', 'ANSWER'],
  ['no size', 'many', 'ANSWER'],
])('refuses %s', async (_, length, code) => {
  node.answer = (asked) => {
    const said = serving([])(asked);
    return { ...said, headers: { ...said.headers, 'content-length': length } };
  };
  await expect(download(components, from(), target)).rejects.toMatchObject({ code });
});

test('gives up after five tries without a byte', async () => {
  node.answer = serving([0, 0, 0, 0, 0, 0]);
  await expect(download(components, from(), target)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  expect(node.asked).toHaveLength(5);
  expect(components.pausedMs).toEqual([1000, 1000, 1000, 1000]);
});

test('has patience when it is asked for, a minute at most', async () => {
  const busy = (seconds: string): Said => ({
    status: 429,
    contentType: 'application/problem+json',
    body: JSON.stringify({ type: 'x', title: 'x', status: 429, detail: 'slow', code: 'X' }),
    isSigned: false,
    headers: { 'retry-after': seconds },
  });
  const serve = serving([]);
  const waits = ['7', '86400', 'soon'];
  node.answer = (asked) => {
    const wait = waits.shift();
    return wait === undefined ? serve(asked) : busy(wait);
  };
  expect((await download(components, from(), target)).bytes).toEqual(file);
  expect(components.pausedMs).toEqual([7000, 60_000, 1000]);
});

test('stops when it is told to, with the reason', async () => {
  const stopped = new AbortController();
  node.answer = serving([1000, 0]);
  const downloading = download(components, from(), target, {
    signal: stopped.signal,
    onProgress: () => stopped.abort(new Error('enough')),
  });
  await expect(downloading).rejects.toThrow('enough');
});
