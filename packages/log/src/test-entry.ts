import { createHash } from 'node:crypto';
import type { EntryReader } from './entry.ts';

/** An entry for tests: JSON with a checksum, in which any changed byte shows. */
export function testEntry(
  author: string,
  index: number,
  previous: Uint8Array | null,
  text: string,
): Uint8Array {
  const parent = previous === null ? null : Buffer.from(previous).toString('hex');
  const body = JSON.stringify({ author, index, previous: parent, text });
  return new Uint8Array(Buffer.from(`${checksum(body)}${body}`));
}

/** Entries 0…count-1 of an author's chain. */
export function testChain(author: string, count: number, text = 'text'): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let previous: Uint8Array | null = null;
  for (let index = 0; index < count; index += 1) {
    const entry = testEntry(author, index, previous, `${text} ${index}`);
    entries.push(entry);
    previous = readTestEntry(entry).id;
  }
  return entries;
}

export const readTestEntry: EntryReader = (entry) => {
  const text = Buffer.from(entry).toString('utf8');
  const body = text.slice(64);
  if (checksum(body) !== text.slice(0, 64)) throw new Error('checksum');
  const { author, index, previous } = JSON.parse(body);
  return {
    author,
    index,
    previous: previous === null ? null : new Uint8Array(Buffer.from(previous, 'hex')),
    id: new Uint8Array(createHash('sha256').update(body).digest()),
    leaf: new Uint8Array(Buffer.from(body)),
  };
};

function checksum(body: string): string {
  return createHash('sha256').update(`checksum ${body}`).digest('hex');
}
