import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { exampleBlocks, withExamples } from './example-blocks.ts';
import { networkMessages, workedExamples } from './examples.ts';
import { readPages, root } from './page.ts';
import { witnessMessages } from './witness-examples.ts';

const examples = await workedExamples();
const shown = readPages().flatMap((page) =>
  exampleBlocks(page).map((block) => ({ path: page.path, ...block })),
);

test.each(shown)('$path: example $name is what the code computes', ({ name, text }) => {
  expect(text).toBe(examples.get(name));
});

test('every example is shown once', () => {
  expect(shown.map(({ name }) => name).sort()).toEqual([...examples.keys()].sort());
});

describe('the example messages are read by the code that reads them from peers', async () => {
  const { decodeSummary }: { decodeSummary: (bytes: Uint8Array) => unknown } =
    await source('summary.ts');
  const sync: Record<'decodeSyncRequest' | 'decodeSyncAnswer', (bytes: Uint8Array) => unknown> =
    await source('sync-message.ts');
  const blob: Record<'decodeBlobRequest' | 'decodeBlobReply', (bytes: Uint8Array) => unknown> =
    await source('blob-message.ts');
  const witness: Record<
    'decodeWitnessRequest' | 'decodeWitnessAnswer',
    (bytes: Uint8Array) => unknown
  > = await source('witness-message.ts');
  const messages = networkMessages();

  test('summary', () => {
    expect(decodeSummary(messages.summary)).toMatchObject({ heads: [{ size: 1 }], forks: [] });
  });
  test('sync', () => {
    expect(sync.decodeSyncRequest(messages.sync.read)).toMatchObject({ type: 'read', from: 1 });
    expect(sync.decodeSyncRequest(messages.sync.fork)).toMatchObject({ type: 'fork' });
    expect(sync.decodeSyncAnswer(messages.sync.entries)).toEqual({ type: 'entries', entries: [] });
    expect(sync.decodeSyncAnswer(messages.sync.proof)).toEqual({ type: 'proof', entries: [] });
  });
  test('blob', () => {
    expect(blob.decodeBlobRequest(messages.blob.open)).toMatchObject({ type: 'open' });
    expect(blob.decodeBlobRequest(messages.blob.chunk)).toMatchObject({ type: 'chunk', index: 0 });
    expect(blob.decodeBlobReply(messages.blob.blob)).toMatchObject({ type: 'blob', size: 57 });
    expect(blob.decodeBlobReply(messages.blob.bytes)).toMatchObject({ type: 'bytes', index: 0 });
    expect(blob.decodeBlobReply(messages.blob.absent)).toEqual({ type: 'absent' });
  });
  test('witness', () => {
    const { cosign, latest, note, cosigned, conflict, refused, absent } = witnessMessages();
    expect(witness.decodeWitnessRequest(cosign)).toMatchObject({ request: { oldSize: 0 } });
    expect(witness.decodeWitnessRequest(latest)).toEqual({ type: 'latest' });
    expect(witness.decodeWitnessRequest(note)).toMatchObject({ type: 'note', size: 1 });
    expect(witness.decodeWitnessAnswer(cosigned)).toMatchObject({ type: 'cosigned' });
    expect(witness.decodeWitnessAnswer(conflict)).toEqual({ type: 'conflict', size: 1 });
    expect(witness.decodeWitnessAnswer(refused)).toEqual({ type: 'refused', code: 'behind' });
    expect(witness.decodeWitnessAnswer(absent)).toEqual({ type: 'absent' });
  });
});

/** A file of the network package that its index does not export: the messages are its own business. */
function source<T>(name: string): Promise<T> {
  const file = join(root, 'packages', 'network', 'src', name);
  return import(pathToFileURL(file).href);
}

test('writing examples anew changes nothing but their text', () => {
  const empty =
    '<!-- example: a -->\n```text\n```\n\nbetween\n\n<!-- example: b -->\n```text\nold\n```\n';
  const page = { path: 'x.md', text: empty };
  expect(exampleBlocks(page)).toEqual([
    { name: 'a', text: '' },
    { name: 'b', text: 'old' },
  ]);
  const fresh = new Map([['a', 'new\nlines']]);
  expect(withExamples(page, fresh)).toBe(empty.replace('```text\n```', '```text\nnew\nlines\n```'));
});
