import { leafHash, TreeHasher } from '@consilium/log';
import type { SiteId, VerifiedRecord } from '@consilium/records';
import type { Finding } from './finding.ts';

/** The records of a log that count, and the broken rule that ends them, if one does. */
export interface Prefix {
  readonly records: readonly VerifiedRecord[];
  readonly finding: Finding | null;
}

/**
 * What is known of one site's log, in whatever order it came.
 *
 * Only the unbroken beginning counts: from index 0 up to the first gap, fork, wrong link or contradiction of checkpoints. Two different records for one index are
 * a fork whichever came first, so the beginning depends on what is known and never on the order of arrival.
 */
export class SiteChain {
  readonly site: SiteId;
  #records = new Map<number, VerifiedRecord[]>();
  #tree = new TreeHasher();
  /** Index from which on the site's checkpoints show two logs. */
  #parting = Number.POSITIVE_INFINITY;
  /** What `prefix` gave last; null since a record came. */
  #prefix: Prefix | null = null;

  constructor(site: SiteId) {
    this.site = site;
  }

  /** Takes a record; one that is known already changes nothing. Keeps two records an index at most: a third proves no more. */
  add(verified: VerifiedRecord): void {
    const { index } = verified.record;
    const known = this.#records.get(index) ?? [];
    if (known.length === 2 || known.some(({ id }) => equal(id, verified.id))) return;
    this.#records.set(index, [...known, verified]);
    this.#prefix = null;
  }

  /** Takes note that the site's checkpoints prove two logs, which part at `index` at the latest: from there on nothing counts. */
  partAt(index: number): void {
    if (index >= this.#parting) return;
    this.#parting = index;
    this.#prefix = null;
  }

  /** The records that count, in order, and why no more do when a rule was broken. */
  prefix(): Prefix {
    this.#prefix ??= this.#walk();
    return this.#prefix;
  }

  #walk(): Prefix {
    const records: VerifiedRecord[] = [];
    for (;;) {
      const index = records.length;
      const [first, second] = this.#records.get(index) ?? [];
      if (index === this.#parting && second === undefined) {
        const message = 'two signed checkpoints that cannot both be true';
        return { records, finding: this.#broken('SPLIT_VIEW', index, message) };
      }
      if (first === undefined) return { records, finding: null };
      if (second !== undefined)
        return {
          records,
          finding: this.#broken('FORK', index, 'two signed records for one index'),
        };
      if (!follows(first, records.at(-1))) {
        return {
          records,
          finding: this.#broken(
            'BROKEN_CHAIN',
            index,
            'the record does not name the one before it',
          ),
        };
      }
      records.push(first);
    }
  }

  /** The RFC 6962 root over the first `size` records, which must be there; leaf data are the signed bytes without the signature. */
  root(size: number): Uint8Array {
    const records = this.prefix().records.slice(0, size);
    if (size < this.#tree.size) this.#tree = new TreeHasher();
    for (const { leaf } of records.slice(this.#tree.size)) this.#tree.append(leafHash(leaf));
    return this.#tree.root();
  }

  #broken(code: 'FORK' | 'SPLIT_VIEW' | 'BROKEN_CHAIN', index: number, message: string): Finding {
    return { code, site: this.site, index, message };
  }
}

function follows(verified: VerifiedRecord, before: VerifiedRecord | undefined): boolean {
  const { previous } = verified.record;
  if (before === undefined) return previous === null;
  return previous !== null && equal(previous, before.id);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
