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

/** For tests: a consortium of real keys that writes real, signed logs for a layout of five weights. */
export class TestStudy {
  readonly layout: Layout = createLayout([
    { name: 'a', shape: [2, 2] },
    { name: 'b', shape: [1] },
  ]);
  readonly keys: readonly SiteKey[];
  readonly blobs: Map<string, Uint8Array> = new Map();
  readonly manifestBody: ManifestBody;
  readonly manifest: VerifiedRecord;
  readonly #logs = new Map<string, VerifiedRecord[]>();

  constructor(patients: readonly number[], overrides: Partial<ManifestBody> = {}) {
    this.keys = [...patients, 0, 0].map((_, i) => keyFromSeed(sha256(`site ${i}`)));
    const initial = this.payload([1000, -2000, 3000, 0, 5], 32);
    this.manifestBody = {
      name: 'test study',
      task: {},
      layout: this.layout.tensors.map(({ name, shape }) => ({ name, shape })),
      initialWeights: {
        digest: Buffer.from(initial, 'hex'),
        bytes: (this.blobs.get(initial) as Uint8Array).length,
      },
      gridExponent: -20,
      privacy: { profile: 'off' },
      aggregation: { rule: 'weighted-mean' },
      rounds: { count: 8, deadlineSeconds: 60, quorum: 2 },
      witnesses: { quorum: 2 },
      roster: this.keys.map(({ id }, i) => ({
        site: id,
        name: `site-${i}`,
        role: i < patients.length ? 'trainer' : i === patients.length ? 'validator' : 'observer',
        patients: patients[i] ?? 0,
        addresses: [],
      })),
      ...overrides,
    };
    this.manifest = this.say(0, { kind: 'manifest', body: this.manifestBody }, null);
  }

  get study(): Uint8Array {
    return this.manifest.id;
  }

  /** Every record said so far, site by site. */
  get records(): VerifiedRecord[] {
    return [...this.#logs.values()].flat();
  }

  key(site: number): SiteKey {
    return this.keys[site] as SiteKey;
  }

  /** Stores a payload and returns its digest (hex). */
  payload(values: readonly number[], bits: GridBits = 16, exponent = -20): string {
    const bytes = encodePayload({
      layout: this.layout,
      bits,
      exponents: Int8Array.of(exponent, exponent),
      values: Int32Array.from(values),
    });
    return this.store(bytes);
  }

  store(bytes: Uint8Array): string {
    const digest = sha256(bytes).toString('hex');
    this.blobs.set(digest, bytes);
    return digest;
  }

  /** Signs the site's next record; `at` signs another one for a place that is taken: a fork. */
  say(
    site: number,
    said: Pick<RecordDraft, 'kind' | 'body'> & { known?: false },
    study: Uint8Array | null = this.study,
    at?: number,
  ): VerifiedRecord {
    const key = this.key(site);
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

  update(site: number, round: number, values: readonly number[], at?: number): VerifiedRecord {
    return this.updateOf(site, round, this.payload(values), at);
  }

  updateOf(site: number, round: number, digest: string, at?: number): VerifiedRecord {
    const bytes = this.blobs.get(digest)?.length ?? 0;
    const payload = { digest: Buffer.from(digest, 'hex'), bytes };
    const body = {
      round,
      base: new Uint8Array(32),
      payload,
      steps: 1,
      privacy: { profile: 'off' as const },
    };
    return this.say(site, { kind: 'update', body }, this.study, at);
  }

  /** A reservation of `steps` steps by the manifest's policy; `epsilon` is what the site claims to have spent with it. */
  reserve(site: number, round: number, steps: number, epsilon: number): VerifiedRecord {
    const { privacy } = this.manifestBody;
    if (privacy.profile === 'off') throw new RangeError('the study promises no privacy');
    const { sampleRate, noiseMultiplier } = privacy;
    return this.say(site, {
      kind: 'reserve',
      body: { round, sampleRate, noiseMultiplier, steps, epsilon },
    });
  }

  /** An update that the reservation at `reserve` pays for. */
  paid(
    site: number,
    round: number,
    values: readonly number[],
    reserve: number,
    steps: number,
  ): VerifiedRecord {
    const digest = this.payload(values);
    const bytes = this.blobs.get(digest)?.length ?? 0;
    const body = {
      round,
      base: new Uint8Array(32),
      payload: { digest: Buffer.from(digest, 'hex'), bytes },
      steps,
      privacy: { profile: 'balanced' as const, reserve },
    };
    return this.say(site, { kind: 'update', body });
  }

  evaluation(site: number, round: number): VerifiedRecord {
    const metrics = [{ name: 'lesion-dice', value: 0.5, low: null, high: null }];
    return this.say(site, {
      kind: 'evaluation',
      body: { round, state: new Uint8Array(32), patients: 5, metrics },
    });
  }

  reader(hidden: ReadonlySet<string> = new Set()): {
    get(digest: string): Promise<Uint8Array | undefined>;
  } {
    return { get: async (digest) => (hidden.has(digest) ? undefined : this.blobs.get(digest)) };
  }
}

function sha256(data: string | Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}
