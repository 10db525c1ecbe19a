import { openRecord, type SiteId } from '@consilium/records';
import { StudyFold } from '@consilium/study';
import type { BundleParts } from '@consilium/study/audit';
import type { FoundingRecord } from '../founding.ts';
import type { Stores } from '../stores.ts';

/** Which notes of a store are checkpoints of logs: the longest one, and the longest that is witnessed. */
const noteNames = /^(?:newest|witnessed)\/([^/]+)$/;

/** What a site’s disk has for an audit bundle: the logs of every key that ever spoke for a member, as far as they are here, with forks and checkpoints. */
export async function siteParts(
  { verified }: FoundingRecord,
  { log, blobs, notes }: Pick<Stores, 'blobs' | 'log' | 'notes'>,
): Promise<BundleParts> {
  const logs = new Map<SiteId, Uint8Array[]>();
  const fold = new StudyFold(verified.id);
  fold.add(verified);
  for (const { author, size } of log.heads()) {
    const envelopes: Uint8Array[] = [];
    while (envelopes.length < size) {
      const from = envelopes.length;
      const entries = await log.read(author, from, { maxEntries: 256, maxBytes: 4 * 2 ** 20 });
      if (entries.length === 0) break;
      envelopes.push(...entries);
      for (const entry of entries) fold.add(openRecord(entry));
    }
    logs.set(author, envelopes);
  }
  const speakers = fold.prefixes();
  const forks = (await log.forks()).map(({ author, entries }): [SiteId, Uint8Array[]] => [
    author,
    [...entries],
  ]);
  const checkpoints = (await notes.entries()).flatMap(([name, note]) => {
    const [, author] = noteNames.exec(name) ?? [];
    return author === undefined ? [] : { author, note };
  });
  return {
    founding: verified.envelope,
    logs: new Map([...logs].filter(([author]) => speakers.has(author))),
    forks: new Map(forks.filter(([author]) => speakers.has(author))),
    notes: checkpoints.filter(({ author }) => speakers.has(author)),
    blobs,
  };
}
