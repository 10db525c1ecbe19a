import { createHash } from 'node:crypto';
import { initialWeights, type LesionTask, networkLayout, smallTask } from '@consilium/model';
import {
  keyFromSeed,
  openRecord,
  type RecordDraft,
  type SiteKey,
  signRecord,
  type VerifiedRecord,
} from '@consilium/records';
import type { BlobReader, Heads, StudyState } from '@consilium/study';
import { encodePayload, type Layout, splitLayout } from '@consilium/weights';
import { foundStudy } from '../founding.ts';
import { StudyHistory, type StudyHistoryComponents } from './study-history.ts';

/** A network whose every part is there and whose weights are few. */
export const tinyTask: LesionTask = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 3, channels: [4, 8], groupChannels: 4 },
};

const names = ['hospital-a', 'hospital-b', 'hospital-c', 'external', 'auditor'];

/**
 * For tests: three trainers, a validator and an observer that write real, signed logs of a study whose task is a real one, kept in memory as a node keeps them on
 * disk.
 */
export class ApiStudy {
  readonly keys: readonly SiteKey[];
  readonly layout: Layout = splitLayout(networkLayout(tinyTask.network)).shared;
  readonly blobs = new Map<string, Uint8Array>();
  readonly founding: VerifiedRecord;
  readonly logs = new Map<string, VerifiedRecord[]>();
  readonly forks: VerifiedRecord[][] = [];

  constructor(roster: readonly string[] = names) {
    this.keys = roster.map((_, i) => keyFromSeed(sha256(`api ${i}`)));
    const { manifest, payload } = foundStudy(
      {
        name: 'a | study <b>',
        task: tinyTask,
        rounds: { count: 9, quorum: 2, deadlineSeconds: 60 },
        privacy: null,
        start: initialWeights(tinyTask.network, 7),
        roster: this.keys.map(({ id: site }, i) => ({
          site,
          name: roster[i] as string,
          role: i < 3 ? 'trainer' : i === 3 ? 'validator' : 'observer',
          patients: [30, 10, 20][i] ?? 0,
          addresses: [],
        })),
      },
      sha256,
    );
    this.blobs.set(sha256(payload).toString('hex'), payload);
    const body = { ...manifest, witnesses: { quorum: 2 } };
    this.founding = this.say(0, { kind: 'manifest', body }, []);
  }

  key(site: number): SiteKey {
    return this.keys[site] as SiteKey;
  }

  /** The study as a node tells it that has all of this. */
  history(hidden: ReadonlySet<string> = new Set()): StudyHistory {
    return new StudyHistory({ founding: this.founding, log: this.log, blobs: this.reader(hidden) });
  }

  reader(hidden: ReadonlySet<string> = new Set()): BlobReader {
    return { get: async (digest) => (hidden.has(digest) ? undefined : this.blobs.get(digest)) };
  }

  /** Reads what was said so far, at every call anew. */
  get log(): StudyHistoryComponents['log'] {
    return {
      heads: () =>
        [...this.logs].map(([author, records]) => ({
          author,
          size: records.length,
          root: new Uint8Array(32),
          last: records.at(-1)?.id ?? null,
        })),
      read: async (author, from, { maxEntries }) =>
        (this.logs.get(author) ?? [])
          .slice(from, from + maxEntries)
          .map(({ envelope }) => envelope),
      forks: async () =>
        this.forks.map(([first, other]) => ({
          author: first?.record.author ?? '',
          index: first?.record.index ?? 0,
          entries: [first?.envelope, other?.envelope] as [Uint8Array, Uint8Array],
        })),
    };
  }

  say(
    site: number,
    said: Pick<RecordDraft, 'kind' | 'body'>,
    heads: Heads,
    at?: number,
  ): VerifiedRecord {
    const key = this.key(site);
    const log = this.logs.get(key.id) ?? [];
    const index = at ?? log.length;
    const verified = openRecord(
      signRecord(key, {
        ...said,
        version: 1,
        study: said.kind === 'manifest' ? null : this.founding.id,
        author: key.id,
        index,
        previous: log[index - 1]?.id ?? null,
        heads: heads.map(({ author, size, root }) => ({
          author,
          size,
          root: Buffer.from(root, 'hex'),
        })),
      } as RecordDraft),
    );
    if (at === undefined) this.logs.set(key.id, [...log, verified]);
    else this.forks.push([log[at] as VerifiedRecord, verified]);
    return verified;
  }

  /** An update of a round that adds `step`, 2 · `step`, … to the first weights; from the state `on`. */
  update(site: number, round: number, step: number, on: StudyState, at?: number): VerifiedRecord {
    const values = new Int32Array(this.layout.length).map((_, i) => (i % 5) * step);
    const exponents = new Int8Array(this.layout.tensors.length).fill(-20);
    const payload = encodePayload({ layout: this.layout, bits: 16, exponents, values });
    const digest = sha256(payload);
    this.blobs.set(digest.toString('hex'), payload);
    const body = {
      round,
      base: Buffer.from(on.digest, 'hex'),
      payload: { digest, bytes: payload.length },
      steps: 3,
      privacy: { profile: 'off' as const },
    };
    return this.say(site, { kind: 'update', body }, on.heads, at);
  }

  evaluation(site: number, round: number, on: StudyState, patients = 10): VerifiedRecord {
    const metrics = [
      { name: 'lesion-dice', value: 0.51, low: 0.4, high: 0.62 },
      { name: 'burden-error', value: 0.25, low: null, high: null },
    ];
    const state = Buffer.from(on.digest, 'hex');
    return this.say(
      site,
      { kind: 'evaluation', body: { round, state, patients, metrics } },
      on.heads,
    );
  }

  /**
   * Two rounds, the second without hospital-c; hospital-a is in the third already, and external has evaluated the state before that, of which no
   * round has the digest.
   */
  async twoRounds(): Promise<{ evaluated: StudyState }> {
    const now = (): Promise<StudyState> => this.history().latest();
    for (const site of [0, 1, 2]) this.update(site, 1, 100 + site, await now());
    this.update(0, 2, 40, await now());
    const evaluated = await now();
    this.evaluation(3, 2, evaluated);
    this.update(1, 2, 50, await now());
    this.update(0, 3, 60, await now());
    return { evaluated };
  }
}

function sha256(data: string | Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}
