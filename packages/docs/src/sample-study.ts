import { createHash } from 'node:crypto';
import {
  keyFromSeed,
  type ManifestBody,
  openRecord,
  type RecordDraft,
  type SiteKey,
  signRecord,
  type VerifiedRecord,
} from '@consilium/records';
import { createLayout, encodePayload, type GridBits, type Layout } from '@consilium/weights';

/** The study of the examples: two trainers and an observer, five shared weights, keys of public seeds. */
export class SampleStudy {
  readonly layout: Layout = createLayout([
    { name: 'stem/kernel', shape: [2, 2] },
    { name: 'stem/bias', shape: [1] },
  ]);
  readonly blobs: Map<string, Uint8Array> = new Map();
  readonly manifest: VerifiedRecord;
  readonly #logs = new Map<string, VerifiedRecord[]>();

  constructor() {
    const initial = this.payload([1000, -2000, 3000, 0, 5], 32);
    this.manifest = this.say(1, { kind: 'manifest', body: this.#manifestBody(initial) }, null);
  }

  /** The key whose seed is 32 bytes of `n`. */
  key(n: number): SiteKey {
    return keyFromSeed(new Uint8Array(32).fill(n));
  }

  /** Stores a payload whose tensors both have step 2^-20. */
  payload(values: readonly number[], bits: GridBits): Uint8Array {
    const bytes = encodePayload({
      layout: this.layout,
      bits,
      exponents: Int8Array.of(-20, -20),
      values: Int32Array.from(values),
    });
    this.blobs.set(sha256(bytes).toString('hex'), bytes);
    return bytes;
  }

  /** Signs site `n`'s next record; `at` signs another one for a place that is taken. */
  say(
    n: number,
    said: Pick<RecordDraft, 'kind' | 'body'>,
    study: Uint8Array | null = this.manifest.id,
    at?: number,
  ): VerifiedRecord {
    const key = this.key(n);
    const log = this.#logs.get(key.id) ?? [];
    const index = at ?? log.length;
    const draft = {
      ...said,
      version: 1,
      study,
      author: key.id,
      index,
      previous: log[index - 1]?.id ?? null,
      heads: [],
    } as RecordDraft;
    const verified = openRecord(signRecord(key, draft));
    if (at === undefined) this.#logs.set(key.id, [...log, verified]);
    return verified;
  }

  /** Signs an update of 8-bit integers on the study's grid. */
  update(n: number, round: number, values: readonly number[], at?: number): VerifiedRecord {
    const payload = this.payload(values, 8);
    const body = {
      round,
      base: new Uint8Array(32),
      payload: { digest: sha256(payload), bytes: payload.length },
      steps: 20,
      privacy: { profile: 'off' as const },
    };
    return this.say(n, { kind: 'update', body }, this.manifest.id, at);
  }

  /** Signs a reservation of 20 private steps for round 1. */
  reserve(n: number): VerifiedRecord {
    const body = { round: 1, sampleRate: 0.25, noiseMultiplier: 1.5, steps: 20, epsilon: 5.25 };
    return this.say(n, { kind: 'reserve', body });
  }

  evaluation(n: number): VerifiedRecord {
    const metrics = [{ name: 'lesion-dice', value: 0.5, low: 0.25, high: 0.75 }];
    const body = { round: 1, state: new Uint8Array(32), patients: 5, metrics };
    return this.say(n, { kind: 'evaluation', body });
  }

  #manifestBody(initial: Uint8Array): ManifestBody {
    return {
      name: 'example',
      task: {},
      layout: this.layout.tensors.map(({ name, shape }) => ({ name, shape })),
      initialWeights: { digest: sha256(initial), bytes: initial.length },
      gridExponent: -20,
      privacy: { profile: 'off' },
      aggregation: { rule: 'weighted-mean' },
      rounds: { count: 8, deadlineSeconds: 60, quorum: 1 },
      witnesses: { quorum: 2 },
      roster: [
        this.#member(1, 'trainer', 30),
        this.#member(2, 'trainer', 10),
        this.#member(3, 'observer', 0),
      ],
    };
  }

  #member(
    n: number,
    role: ManifestBody['roster'][number]['role'],
    patients: number,
  ): ManifestBody['roster'][number] {
    return { site: this.key(n).id, name: `site ${n}`, role, patients, addresses: [] };
  }
}

export function sha256(data: Uint8Array | string): Buffer {
  return createHash('sha256').update(data).digest();
}
