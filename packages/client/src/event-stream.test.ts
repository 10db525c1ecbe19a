import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readMessages } from './event-stream.ts';

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

async function messagesOf(text: string, sizes: readonly number[] = []): Promise<object[]> {
  const messages: object[] = [];
  for await (const message of readMessages(cut(Buffer.from(text), sizes)))
    messages.push(Object.fromEntries(message));
  return messages;
}

test.each<[string, object[]]>([
  ['event: state\nid: 3\ndata: {"a":1}\n\n', [{ event: 'state', id: '3', data: '{"a":1}' }]],
  ['data: one\ndata:two\ndata:  three\n\n', [{ data: 'one\ntwo\n three' }]],
  ['data: a\r\n\r\ndata: b\r\rdata: c\n\n', [{ data: 'a' }, { data: 'b' }, { data: 'c' }]],
  [': alive\n\n', [{}]],
  ['data\n\n', [{ data: '' }]],
  ['x-own: y: z\n\n', [{ 'x-own': 'y: z' }]],
  ['id: 1\nid: 2\n\n', [{ id: '2' }]],
  ['__proto__: a\n\n', [JSON.parse('{"__proto__":"a"}')]],
  ['data: not ended', []],
  ['', []],
])('%j', async (text, messages) => {
  expect(await messagesOf(text)).toEqual(messages);
});

test('gives the same messages however the bytes are cut, in the middle of a character too', async () => {
  const text = ': „hallo“\n\nevent: state\ndata: {"größe":"€ 🫁"}\n\ndata: x\ndata: y\n\n';
  const whole = await messagesOf(text);
  expect(whole).toHaveLength(3);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9), { maxLength: 30 }), async (sizes) => {
      expect(await messagesOf(text, sizes)).toEqual(whole);
    }),
    { seed: 5 },
  );
});

test('a message without an end is not gathered for ever', async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(1000, 'x');
  }
  const reading = async (): Promise<void> => {
    for await (const _ of readMessages(endless())) throw new Error('there is none');
  };
  await expect(reading()).rejects.toMatchObject({ code: 'ANSWER' });
});
