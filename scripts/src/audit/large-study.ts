import { createCipheriv, createHash } from 'node:crypto';
import { RunningMean } from '@consilium/averaging';
import {
  cosign,
  formatNote,
  leafHash,
  merkleRoot,
  signCheckpoint,
  TreeHasher,
} from '@consilium/log';
import {
  keyFromSeed,
  openRecord,
  type RecordDraft,
  type SiteKey,
  sign,
  signRecord,
  type VerifiedRecord,
} from '@consilium/records';
import { logKeyOf, witnessKeyOf } from '@consilium/study';
import type { BundleParts } from '@consilium/study/audit';
import {
  createLayout,
  decodePayload,
  encodePayload,
  type Layout,
  payloadBytes,
  toGrid,
  weightsDigest,
} from '@consilium/weights';

const gridExponent = -20;

/** How large a study is. */
export interface StudySize {
  readonly rounds: number;
  readonly sites: number;
  readonly parameters: number;
}

interface Site {
  readonly key: SiteKey;
  readonly log: VerifiedRecord[];
  readonly tree: TreeHasher;
}

/**
 * A study of any size as a node would have it: signed records that name the logs and the state which they were made from, 16-bit payloads, checkpoints that everybody cosigned. Payloads are
 * made anew whenever they are asked for, from seeds, so that it takes no memory for them. Not private: the noise of so many values would take hours to draw.
 */
export class LargeStudy {
  readonly layout: Layout;
  readonly parts: BundleParts;
  readonly #payloads = new Map<string, () => Uint8Array>();
  readonly #sites: Site[];
  #study: Uint8Array | null = null;

  constructor(size: StudySize, onRound: (round: number) => void = () => undefined) {
    const { rounds, sites, parameters } = size;
    this.layout = createLayout([
      { name: 'kernel', shape: [parameters - 1000] },
      { name: 'bias', shape: [1000] },
    ]);
    this.#sites = Array.from({ length: sites }, (_, i) => ({
      key: keyFromSeed(sha256(`large site ${i}`)),
      log: [],
      tree: new TreeHasher(),
    }));
    const initial = encodePayload({
      layout: this.layout,
      bits: 32,
      exponents: Int8Array.of(gridExponent, gridExponent),
      values: new Int32Array(parameters),
    });
    const founding = this.#say(
      0,
      this.#manifest(
        size,
        this.#keep(() => initial),
        initial,
      ),
    );
    this.#study = founding.id;
    const weights = Float64Array.from(new Int32Array(parameters));
    for (let round = 1; round <= rounds; round++) {
      this.#round(round, weights);
      onRound(round);
    }
    this.parts = {
      founding: founding.envelope,
      logs: new Map(
        this.#sites.map(({ key, log }) => [key.id, log.map(({ envelope }) => envelope)]),
      ),
      forks: new Map(),
      notes: this.#sites.map((site) => ({ author: site.key.id, note: this.#note(site) })),
      blobs: {
        get: async (digest) => this.#payloads.get(digest)?.(),
        size: async (digest) =>
          digest === sha256(initial).toString('hex')
            ? initial.length
            : this.#payloads.has(digest)
              ? payloadBytes(this.layout, 16)
              : undefined,
      },
    };
  }

  /** Every site gives its update, each from the state after the round before. */
  #round(round: number, weights: Float64Array): void {
    const base = weightsDigest(this.layout, gridExponent, Int32Array.from(weights));
    const heads = this.#heads();
    const mean = new RunningMean(this.layout.length);
    for (const [site] of this.#sites.entries()) {
      const make = (): Uint8Array => this.#payload(`${site} ${round}`);
      const bytes = make();
      const digest = this.#keep(make, bytes);
      mean.add({ weight: 20, update: toGrid(decodePayload(this.layout, bytes), gridExponent) });
      const body = {
        round,
        base: Buffer.from(base, 'hex'),
        payload: { digest: Buffer.from(digest, 'hex'), bytes: bytes.length },
        steps: 5,
        privacy: { profile: 'off' as const },
      };
      this.#say(site, { kind: 'update', body }, heads);
    }
    for (const [i, value] of mean.value().entries()) weights[i] = (weights[i] as number) + value;
  }

  #say(
    site: number,
    said: Pick<RecordDraft, 'body' | 'kind'>,
    heads: RecordDraft['heads'] = [],
  ): VerifiedRecord {
    const { key, log, tree } = this.#sites[site] as Site;
    const draft = {
      ...said,
      version: 1,
      study: this.#study,
      author: key.id,
      index: log.length,
      previous: log.at(-1)?.id ?? null,
      heads,
    } as RecordDraft;
    const verified = openRecord(signRecord(key, draft));
    log.push(verified);
    tree.append(leafHash(verified.leaf));
    return verified;
  }

  #heads(): RecordDraft['heads'] {
    return this.#sites
      .filter(({ log }) => log.length > 0)
      .map(({ key, log, tree }) => ({ author: key.id, size: log.length, root: tree.root() }))
      .sort((a, b) => (a.author < b.author ? -1 : 1));
  }

  #note({ key, log }: Site): Uint8Array {
    const study = this.#study as Uint8Array;
    const signer = (secretKey: Uint8Array) => (message: Uint8Array) => sign(message, secretKey);
    const checkpoint = signCheckpoint(
      { size: log.length, root: merkleRoot(log.map(({ leaf }) => leaf)) },
      { ...logKeyOf(study, key.id), sign: signer(key.secretKey) },
    );
    const others = this.#sites.filter((other) => other.key !== key);
    const lines = others.map((other) => {
      const witness = { ...witnessKeyOf(study, other.key.id), sign: signer(other.key.secretKey) };
      return cosign(checkpoint, witness, 1_700_000_000);
    });
    const { text, signatures } = checkpoint.note;
    return formatNote({ text, signatures: [...signatures, ...lines] });
  }

  #keep(make: () => Uint8Array, bytes: Uint8Array = make()): string {
    const digest = sha256(bytes).toString('hex');
    this.#payloads.set(digest, make);
    return digest;
  }

  /** A payload whose values a seed decides. */
  #payload(seed: string): Uint8Array {
    const cipher = createCipheriv('aes-256-ctr', sha256(seed), Buffer.alloc(16));
    const bytes = new Uint8Array(cipher.update(Buffer.alloc(payloadBytes(this.layout, 16))));
    const head = encodePayload({
      layout: this.layout,
      bits: 16,
      exponents: Int8Array.of(gridExponent, gridExponent),
      values: new Int32Array(this.layout.length),
    }).subarray(0, bytes.length - 2 * this.layout.length);
    bytes.set(head);
    // -2^15 is no value of a payload.
    for (let at = head.length; at < bytes.length; at += 2) {
      if (bytes[at] === 0 && bytes[at + 1] === 0x80) bytes[at] = 1;
    }
    return bytes;
  }

  #manifest(
    { rounds, sites }: StudySize,
    digest: string,
    initial: Uint8Array,
  ): Pick<RecordDraft, 'body' | 'kind'> {
    return {
      kind: 'manifest',
      body: {
        name: 'large study',
        task: {},
        layout: this.layout.tensors.map(({ name, shape }) => ({ name, shape })),
        initialWeights: { digest: Buffer.from(digest, 'hex'), bytes: initial.length },
        gridExponent,
        privacy: { profile: 'off' },
        aggregation: { rule: 'weighted-mean' },
        rounds: { count: rounds, deadlineSeconds: 60, quorum: 2 },
        witnesses: { quorum: Math.min(sites - 1, Math.floor(sites / 2) + 1) },
        roster: this.#sites.map(({ key }, i) => ({
          site: key.id,
          name: `site-${i}`,
          role: 'trainer',
          patients: 20,
          addresses: [],
        })),
      },
    };
  }
}

function sha256(data: string | Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}
