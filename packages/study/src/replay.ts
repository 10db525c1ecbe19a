import type { ManifestBody, SiteId, VerifiedRecord } from '@consilium/records';
import { weightsDigest } from '@consilium/weights';
import { SiteChain } from './chain.ts';
import { type AcceptedUpdate, type Decisions, decide, type RecordedEvaluation } from './decide.ts';
import { StudyError } from './error.ts';
import type { Finding } from './finding.ts';
import { type Founding, found } from './manifest.ts';
import { type BlobReader, RoundSum } from './sum.ts';

/** One member and how far it is. */
export interface MemberState {
  readonly site: SiteId;
  readonly name: string;
  readonly role: ManifestBody['roster'][number]['role'];
  /** How much its updates count in a round's mean; 0 unless a trainer. */
  readonly weight: number;
  /** The last round that it gave an update for; 0 before the first. */
  readonly lastRound: number;
  /** Records of its log that count. */
  readonly logSize: number;
}

/** One round: whose updates are in it, and who is absent. Loud by design: a round of two of three says so. */
export interface RoundState {
  readonly round: number;
  readonly updates: readonly (AcceptedUpdate & { readonly counted: boolean })[];
  readonly absent: readonly SiteId[];
}

/**
 * Everything that follows from what the sites said. Equal heads and payloads give equal weights and an equal digest, bit for bit; findings may differ by
 * what lies beyond the heads, such as the proof of a fork that one party has met and another has not.
 */
export interface StudyState {
  /** The study's name among all: the record id (hex) of its manifest. */
  readonly study: string;
  readonly manifest: ManifestBody;
  readonly members: readonly MemberState[];
  /** From round 1 to the last that anyone has contributed to. */
  readonly rounds: readonly RoundState[];
  readonly evaluations: readonly RecordedEvaluation[];
  readonly findings: readonly Finding[];
  /** Payloads that are named by a record and not here yet. While there are any, the weights are not the final ones for these heads. */
  readonly missing: readonly {
    readonly digest: string;
    readonly bytes: number;
    readonly site: SiteId;
    readonly round: number;
  }[];
  /** Log sizes and roots (hex) that the state was computed from, by author; members with an empty log left out. */
  readonly heads: readonly {
    readonly author: SiteId;
    readonly size: number;
    readonly root: string;
  }[];
  /** The shared weights, integers times 2^gridExponent, in the manifest's layout. */
  readonly weights: Int32Array;
  /** The model's name: see `weightsDigest`. */
  readonly digest: string;
}

/**
 * The fold over one study's logs, fed as records arrive: in any order, with repeats, with gaps that close later.
 *
 * A record reaches it only as a {@link VerifiedRecord}, so that an unchecked signature does not compile. Records of other studies and of strangers are
 * kept out by the study's own roster. Not to be shared between concurrent `state` calls.
 */
export class StudyFold {
  readonly #study: Uint8Array;
  readonly #chains = new Map<SiteId, SiteChain>();
  #founding: Founding | null = null;
  #sum: RoundSum | null = null;

  /** @param study the record id of the manifest, 32 bytes */
  constructor(study: Uint8Array) {
    this.#study = study;
  }

  /**
   * Takes one record of any site.
   * @throws {StudyError} `BAD_MANIFEST` when it is this study's manifest and breaks its own promises.
   */
  add(verified: VerifiedRecord): void {
    const { record } = verified;
    if (
      record.known &&
      record.kind === 'manifest' &&
      hex(verified.id) === hex(this.#study) &&
      this.#founding === null
    ) {
      this.#founding = found(record.body);
      this.#sum = new RoundSum(this.#founding);
    }
    const chain = this.#chains.get(record.author) ?? new SiteChain(record.author);
    this.#chains.set(record.author, chain);
    chain.add(verified);
  }

  /** The founding record and what follows from it, or null while it is not here. */
  founding(): Founding | null {
    return this.#founding;
  }

  /** What follows from the records alone, payloads apart; null while the manifest is not here. */
  decisions(): Decisions | null {
    return this.#founding === null ? null : decide(this.#founding, this.#study, this.#chains);
  }

  /** @throws {StudyError} `NO_MANIFEST` or `NO_INITIAL_WEIGHTS` while these are not here. */
  async state(blobs: BlobReader): Promise<StudyState> {
    const founding = this.#founding;
    const sum = this.#sum;
    if (founding === null || sum === null) {
      throw new StudyError('NO_MANIFEST', `the manifest ${hex(this.#study)} is not here yet`);
    }
    const { updates, evaluations, findings } = decide(founding, this.#study, this.#chains);
    const heads = this.#heads(founding);
    const {
      weights,
      counted,
      missing,
      findings: payloadFindings,
    } = await sum.update(updates, blobs);
    return {
      study: hex(this.#study),
      manifest: founding.manifest,
      members: members(founding, updates, heads),
      rounds: rounds(founding, updates, counted),
      evaluations,
      findings: [...findings, ...payloadFindings],
      missing: missing.map(({ payload, payloadBytes, site, round }) => ({
        digest: payload,
        bytes: payloadBytes,
        site,
        round,
      })),
      heads,
      weights,
      digest: weightsDigest(founding.layout, founding.manifest.gridExponent, weights),
    };
  }

  #heads(founding: Founding): StudyState['heads'] {
    return founding.manifest.roster
      .flatMap(({ site }) => this.#chains.get(site)?.head() ?? [])
      .filter(({ size }) => size > 0)
      .map(({ author, size, root }) => ({ author, size, root: hex(root) }))
      .sort((a, b) => (a.author < b.author ? -1 : 1));
  }
}

/**
 * The whole of the idea: the state of a study is a pure function of what the sites said and of the payloads they named.
 * @param study the record id of the manifest, 32 bytes
 * @throws {StudyError} `NO_MANIFEST`, `BAD_MANIFEST` or `NO_INITIAL_WEIGHTS`.
 */
export async function replay(
  study: Uint8Array,
  records: Iterable<VerifiedRecord>,
  blobs: BlobReader,
): Promise<StudyState> {
  const fold = new StudyFold(study);
  for (const record of records) fold.add(record);
  return fold.state(blobs);
}

function members(
  founding: Founding,
  updates: readonly AcceptedUpdate[],
  heads: StudyState['heads'],
): MemberState[] {
  return founding.manifest.roster.map(({ site, name, role }) => ({
    site,
    name,
    role,
    weight: founding.weightOf.get(site) ?? 0,
    lastRound: Math.max(
      0,
      ...updates.filter((update) => update.site === site).map(({ round }) => round),
    ),
    logSize: heads.find(({ author }) => author === site)?.size ?? 0,
  }));
}

function rounds(
  founding: Founding,
  updates: readonly AcceptedUpdate[],
  counted: ReadonlySet<AcceptedUpdate>,
): RoundState[] {
  const byRound = Map.groupBy(updates, ({ round }) => round);
  const trainers = [...founding.weightOf.keys()];
  return Array.from({ length: Math.max(0, ...byRound.keys()) }, (_, i) => {
    const ofRound = byRound.get(i + 1) ?? [];
    const present = new Set(ofRound.map(({ site }) => site));
    return {
      round: i + 1,
      updates: ofRound.map((update) => ({ ...update, counted: counted.has(update) })),
      absent: trainers.filter((site) => !present.has(site)),
    };
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
