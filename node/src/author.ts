import type { LogStore } from '@consilium/log';
import { type RecordDraft, type SiteKey, signRecord } from '@consilium/records';
import type { StudyState } from '@consilium/study';

/** The most heads that a record names. */
const mostHeads = 256;

/** Signs what this site says, one record after the other: two that were signed at once would be a fork. */
export class Author {
  readonly #key: SiteKey;
  readonly #study: Uint8Array;
  readonly #log: Pick<LogStore, 'append' | 'head'>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(key: SiteKey, study: Uint8Array, log: Pick<LogStore, 'append' | 'head'>) {
    this.#key = key;
    this.#study = study;
    this.#log = log;
  }

  /**
   * Appends one record, synced, and returns its index. `said` may be made for the index that it will have.
   * @throws {RecordError} when it would not be accepted. @throws {LogError} when the disk fails.
   */
  say(
    said:
      | Pick<RecordDraft, 'body' | 'kind'>
      | ((index: number) => Pick<RecordDraft, 'body' | 'kind'>),
    heads: StudyState['heads'],
  ): Promise<number> {
    const work = this.#last.then(() => this.#say(said, heads));
    this.#last = work.catch(() => undefined);
    return work;
  }

  async #say(said: Parameters<Author['say']>[0], heads: StudyState['heads']): Promise<number> {
    const { size: index, last } = this.#log.head(this.#key.id);
    const draft = {
      ...(typeof said === 'function' ? said(index) : said),
      version: 1,
      study: this.#study,
      author: this.#key.id,
      index,
      previous: last,
      heads: heads.slice(0, mostHeads).map(({ author, size, root }) => ({
        author,
        size,
        root: Buffer.from(root, 'hex'),
      })),
    } as RecordDraft;
    await this.#log.append(signRecord(this.#key, draft));
    return index;
  }
}
