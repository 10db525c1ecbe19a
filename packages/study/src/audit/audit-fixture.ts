import { cosign, encodeCheckpoint, formatNote, merkleRoot, signCheckpoint } from '@consilium/log';
import {
  keyFromSeed,
  type ManifestBody,
  openRecord,
  type PrivatePolicy,
  type RecordDraft,
  type SiteId,
  type SiteKey,
  sign,
  signRecord,
  type VerifiedRecord,
} from '@consilium/records';
import { encodePayload, type Layout, quantize, type RandomBytes } from '@consilium/weights';
import { logKeyOf, witnessKeyOf } from '../log-name.ts';
import { StudyFold, type StudyState } from '../replay.ts';
import type { BundleParts } from './plan-bundle.ts';
import { trainPrivately } from './private-training-fixture.ts';
import {
  type AuditStudyInit,
  initialPayload,
  seeded,
  sha256,
  studyLayout,
  studyManifest,
} from './study-manifest-fixture.ts';

/** What one site has of the study. */
class View {
  readonly fold: StudyFold;
  readonly blobs = new Map<string, Uint8Array>();
  /** Records that it has, by author. */
  readonly sizes = new Map<SiteId, number>();
  residual: Float32Array | null = null;

  constructor(study: Uint8Array) {
    this.fold = new StudyFold(study);
  }

  state(): Promise<StudyState> {
    return this.fold.state({ get: async (digest) => this.blobs.get(digest) });
  }
}

/**
 * For tests: a consortium that learns, each site by what it has itself, with real keys, records, payloads and checkpoints; private updates hold the mechanism's real noise.
 */
export class AuditStudy {
  readonly init: AuditStudyInit;
  readonly layout: Layout;
  readonly keys: readonly SiteKey[];
  readonly manifest: VerifiedRecord;
  readonly manifestBody: ManifestBody;
  /** Every payload that anybody made. */
  readonly blobs: Map<string, Uint8Array> = new Map();
  readonly logs: Map<SiteId, Uint8Array[]> = new Map();
  readonly random: RandomBytes;
  readonly #views: View[];
  readonly #last = new Map<SiteId, VerifiedRecord>();

  constructor(init: AuditStudyInit) {
    this.init = init;
    this.random = seeded(init.seed);
    this.layout = studyLayout(init);
    const count = init.patients.length + 1 + (init.spareKeys ?? 0);
    this.keys = Array.from({ length: count }, (_, i) => keyFromSeed(sha256(`audited site ${i}`)));
    const initial = initialPayload(this.layout);
    this.manifestBody = studyManifest(init, this.keys, initial);
    this.manifest = this.sign(0, { kind: 'manifest', body: this.manifestBody }, { study: null });
    this.#views = this.keys.map(() => new View(this.study));
    for (const view of this.#views) {
      view.fold.add(this.manifest);
      view.sizes.set(this.key(0).id, 1);
      view.blobs.set(this.store(initial), initial);
    }
  }

  get study(): Uint8Array {
    return this.manifest.id;
  }

  key(site: number): SiteKey {
    return this.keys[site] as SiteKey;
  }

  /** Records that a site has said. */
  size(site: number): number {
    return this.logs.get(this.key(site).id)?.length ?? 0;
  }

  state(site: number): Promise<StudyState> {
    return this.#view(site).state();
  }

  store(bytes: Uint8Array): string {
    const digest = sha256(bytes).toString('hex');
    this.blobs.set(digest, bytes);
    return digest;
  }

  /** Signs a site's next record, as the last of its log; whatever it says. */
  sign(
    site: number,
    said: Pick<RecordDraft, 'body' | 'kind'>,
    header: Partial<Pick<RecordDraft, 'heads' | 'index' | 'previous' | 'study'>> = {},
  ): VerifiedRecord {
    const { id } = this.key(site);
    const last = this.#last.get(id);
    const index = header.index ?? (last === undefined ? 0 : last.record.index + 1);
    const draft = {
      ...said,
      version: 1,
      author: id,
      index,
      previous: index === 0 ? null : (last?.id ?? null),
      heads: [],
      ...('study' in header ? {} : { study: this.study }),
      ...header,
    } as RecordDraft;
    const verified = openRecord(signRecord(this.key(site), draft));
    if (header.index !== undefined) return verified;
    this.logs.set(id, [...(this.logs.get(id) ?? []), verified.envelope]);
    this.#last.set(id, verified);
    return verified;
  }

  /** Lets a site say something, from the logs that it has. */
  say(
    site: number,
    said: Pick<RecordDraft, 'body' | 'kind'>,
    heads: StudyState['heads'],
  ): VerifiedRecord {
    const verified = this.sign(site, said, {
      heads: heads.map(({ author, size, root }) => ({
        author,
        size,
        root: Buffer.from(root, 'hex'),
      })),
    });
    const view = this.#view(site);
    view.fold.add(verified);
    view.sizes.set(this.key(site).id, verified.record.index + 1);
    return verified;
  }

  /** Gives `to` what `from` has: all records, and those payloads that `isHeard` lets through. */
  async sync(from: number, to: number, isHeard: () => boolean = () => true): Promise<void> {
    const source = this.#view(from);
    const target = this.#view(to);
    for (const [author, size] of source.sizes) {
      const known = target.sizes.get(author) ?? 0;
      for (const envelope of (this.logs.get(author) ?? []).slice(known, size)) {
        target.fold.add(openRecord(envelope));
      }
      target.sizes.set(author, Math.max(known, size));
    }
    for (const [digest, bytes] of source.blobs) {
      if (!target.blobs.has(digest) && isHeard()) target.blobs.set(digest, bytes);
    }
  }

  async syncAll(isHeard?: () => boolean): Promise<void> {
    for (const [from] of this.keys.entries()) {
      for (const [to] of this.keys.entries()) if (from !== to) await this.sync(from, to, isHeard);
    }
  }

  /** A site reserves, trains and gives its update of a round; `noiseShare` of the noise that it claims. */
  async train(site: number, round: number, noiseShare = 1): Promise<VerifiedRecord> {
    const state = await this.state(site);
    const privacy = this.reserve(site, round, state);
    const change =
      privacy.profile === 'off'
        ? Float32Array.from({ length: this.layout.length }, () => this.#uniform() / 8)
        : await trainPrivately(this, this.#patients(site, state), state, {
            noiseShare,
            steps: this.steps,
          });
    return this.give(site, round, state, this.#rounded(site, change), privacy);
  }

  /** What a site has to reserve for a round, said and spent. */
  reserve(
    site: number,
    round: number,
    state: StudyState,
    claim = 1,
  ): { profile: 'off' } | { profile: PrivatePolicy['profile']; reserve: number } {
    const policy = this.init.privacy ?? null;
    if (policy === null) return { profile: 'off' };
    const { id } = this.key(site);
    const spent = state.members.find(({ keys }) => keys.includes(id))?.spending?.steps ?? 0;
    const epsilon =
      (this.#view(site)
        .fold.founding()
        ?.budget?.epsilonAfter(spent + this.steps) ?? 0) * claim;
    const { sampleRate, noiseMultiplier, profile } = policy;
    const body = { round, sampleRate, noiseMultiplier, steps: this.steps, epsilon };
    const { record } = this.say(site, { kind: 'reserve', body }, state.heads);
    return { profile, reserve: record.index };
  }

  /** Says an update whose payload is `bytes`. */
  give(
    site: number,
    round: number,
    { digest, heads }: Pick<StudyState, 'digest' | 'heads'>,
    bytes: Uint8Array,
    privacy: ReturnType<AuditStudy['reserve']> = { profile: 'off' },
  ): VerifiedRecord {
    const payload = this.store(bytes);
    this.#view(site).blobs.set(payload, bytes);
    const body = {
      round,
      base: Buffer.from(digest, 'hex'),
      payload: { digest: Buffer.from(payload, 'hex'), bytes: bytes.length },
      steps: this.steps,
      privacy,
    };
    return this.say(site, { kind: 'update', body }, heads);
  }

  async evaluate(site: number, round: number): Promise<VerifiedRecord> {
    const { digest, heads } = await this.state(site);
    const metrics = [{ name: 'lesion-dice', value: 0.5, low: null, high: null }];
    const body = { round, state: Buffer.from(digest, 'hex'), patients: 5, metrics };
    return this.say(site, { kind: 'evaluation', body }, heads);
  }

  /** An uneventful study: every site gives every round, and everybody hears of it. */
  async run(noiseShare = 1): Promise<this> {
    for (let round = 1; round <= this.init.rounds; round++) {
      for (const [site] of this.init.patients.entries()) await this.train(site, round, noiseShare);
      await this.syncAll();
      await this.evaluate(this.init.patients.length, round);
    }
    await this.syncAll();
    return this;
  }

  /** A checkpoint of a site's whole log, which so many of the others cosign. */
  note(site: number, cosigners: number = this.keys.length - 1): Uint8Array {
    const { id, secretKey } = this.key(site);
    const leaves = (this.logs.get(id) ?? []).map((envelope) => openRecord(envelope).leaf);
    const checkpoint = signCheckpoint(
      { size: leaves.length, root: merkleRoot(leaves) },
      { ...logKeyOf(this.study, id), sign: (message) => sign(message, secretKey) },
    );
    const lines = this.keys
      .filter((key) => key.id !== id)
      .slice(0, cosigners)
      .map((key) => {
        const signer = {
          ...witnessKeyOf(this.study, key.id),
          sign: (m: Uint8Array) => sign(m, key.secretKey),
        };
        return cosign(checkpoint, signer, 1_700_000_000);
      });
    if (lines.length === 0) return encodeCheckpoint(checkpoint);
    const { text, signatures } = checkpoint.note;
    return formatNote({ text, signatures: [...signatures, ...lines] });
  }

  /** What an honest node would write into a bundle. */
  parts(): BundleParts {
    const authors = this.keys.map(({ id }, site) => ({ id, site }));
    return {
      founding: this.manifest.envelope,
      logs: new Map(this.logs),
      forks: new Map(),
      notes: authors
        .filter(({ id }) => this.logs.has(id))
        .map(({ id, site }) => ({ author: id, note: this.note(site) })),
      blobs: {
        get: async (digest) => this.blobs.get(digest),
        size: async (digest) => this.blobs.get(digest)?.length,
      },
    };
  }

  get steps(): number {
    return this.init.steps ?? 3;
  }

  /** What a site has declared by now. */
  #patients(site: number, { members }: StudyState): number {
    return members.find(({ keys }) => keys.includes(this.key(site).id))?.patients ?? 0;
  }

  #rounded(site: number, change: Float32Array): Uint8Array {
    const view = this.#view(site);
    const { update, residual } = quantize(this.layout, change, {
      bits: this.init.payloadBits ?? 16,
      gridExponent: -20,
      random: this.random,
      ...(view.residual === null ? {} : { residual: view.residual }),
    });
    view.residual = residual;
    return encodePayload(update);
  }

  /** Uniform on (-1, 1). */
  #uniform(): number {
    const bytes = this.random(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0) / 2 ** 31;
  }

  #view(site: number): View {
    return this.#views[site] as View;
  }
}
