import type { ManifestBody, SiteId, VerifiedRecord } from '@consilium/records';
import { weightsDigest } from '@consilium/weights';
import { SiteChain } from './chain.ts';
import { type AcceptedUpdate, type Decisions, decide, type RecordedEvaluation } from './decide.ts';
import { type Accusation, accusationIn } from './equivocation.ts';
import { StudyError } from './error.ts';
import type { Finding } from './finding.ts';
import type { Spending } from './ledger.ts';
import { type Founding, found } from './manifest.ts';
import { isRemoved, termsNow } from './roster.ts';
import { type AppliedChange, type RosterHistory, rosterHistory } from './roster-history.ts';
import type { Speech } from './speech.ts';
import { type BlobReader, RoundSum } from './sum.ts';

/** One member and how far it is. */
export interface MemberState {
  /** Its name for good: the first key that it had. */
  readonly site: SiteId;
  readonly name: string;
  readonly role: ManifestBody['roster'][number]['role'];
  /** Its declared cohort; 0 unless a trainer. */
  readonly patients: number;
  /** How much its updates count in a round's mean; 0 unless a trainer. */
  readonly weight: number;
  readonly addresses: readonly string[];
  /** The keys that have spoken for it, first to last. */
  readonly keys: readonly SiteId[];
  /** The change of the roster that added it; 0 for a founding member. */
  readonly joinedWith: number;
  readonly isRemoved: boolean;
  /** Whether what it says from now on can count: not after its removal, a fork or the end of what a log may hold. */
  readonly isHeard: boolean;
  /** The last round that it gave an update for; 0 before the first. */
  readonly lastRound: number;
  /** Records that count, over the logs of all its keys. */
  readonly logSize: number;
  /** What it has spent of its patients' privacy; null unless it is a trainer of a study that promises any. */
  readonly spending: Spending | null;
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
  /** In the order in which they joined; removed ones stay. */
  readonly members: readonly MemberState[];
  /** The changes of the roster that apply, in order. */
  readonly changes: readonly AppliedChange[];
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
  /** By the record (hex id) that shows it. */
  readonly #accusations = new Map<string, Accusation>();
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
    this.#chainOf(record.author).add(verified);
    const accusation = accusationIn(verified, this.#study);
    if (accusation !== null) {
      this.#accusations.set(hex(verified.id), accusation);
      this.#chainOf(accusation.site).partAt(accusation.index);
    }
  }

  #chainOf(site: SiteId): SiteChain {
    const chain = this.#chains.get(site) ?? new SiteChain(site);
    this.#chains.set(site, chain);
    return chain;
  }

  /**
   * What is proven against sites that signed checkpoints of two logs: of each site the proof with the lowest index. It counts whoever's log has it;
   * `isCarried` says whether one has it that everybody will get: among the records that count, of a log that is not cut short.
   */
  accusations(): readonly (Accusation & { readonly isCarried: boolean })[] {
    const all = [...this.#accusations.values()];
    const counted = all.length === 0 ? new Map() : this.prefixes();
    const isCarried = ({ carrier: { record } }: Accusation): boolean =>
      record.index < (counted.get(record.author)?.length ?? 0) &&
      this.#chainOf(record.author).prefix().finding === null;
    return [...Map.groupBy(all, ({ site }) => site).values()].map((ofSite) => {
      const index = Math.min(...ofSite.map((each) => each.index));
      const strongest = ofSite.filter((each) => each.index === index);
      const carried = strongest.find(isCarried);
      return { ...((carried ?? strongest[0]) as Accusation), isCarried: carried !== undefined };
    });
  }

  /** The founding record and what follows from it, or null while it is not here. */
  founding(): Founding | null {
    return this.#founding;
  }

  /** The records of each key's log that count, in order, a member's keys one after the other; empty while the manifest is not here. */
  prefixes(): ReadonlyMap<SiteId, readonly VerifiedRecord[]> {
    const speeches = this.roster()?.speeches ?? [];
    return new Map(
      speeches.flatMap(({ voices }) => voices.map(({ key, records }) => [key, records])),
    );
  }

  /** Who is in the study and what of each one's logs counts; null while the manifest is not here. */
  roster(): RosterHistory | null {
    return this.#founding === null
      ? null
      : rosterHistory(this.#founding, this.#study, this.#chains);
  }

  /** What follows from the records alone, payloads apart; null while the manifest is not here. */
  decisions(): Decisions | null {
    const founding = this.#founding;
    const history = this.roster();
    return founding === null || history === null ? null : decide(founding, this.#study, history);
  }

  /** @throws {StudyError} `NO_MANIFEST` or `NO_INITIAL_WEIGHTS` while these are not here. */
  async state(blobs: BlobReader): Promise<StudyState> {
    const founding = this.#founding;
    const sum = this.#sum;
    if (founding === null || sum === null) {
      throw new StudyError('NO_MANIFEST', `the manifest ${hex(this.#study)} is not here yet`);
    }
    const history = rosterHistory(founding, this.#study, this.#chains);
    const { updates, evaluations, spending, findings } = decide(founding, this.#study, history);
    const heads = this.#heads(history);
    const {
      weights,
      counted,
      missing,
      findings: payloadFindings,
    } = await sum.update(updates, blobs);
    return {
      study: hex(this.#study),
      manifest: founding.manifest,
      members: history.speeches.map((speech) => memberState(speech, updates, spending)),
      changes: history.changes,
      rounds: rounds(history, updates, counted),
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

  #heads({ speeches }: RosterHistory): StudyState['heads'] {
    return speeches
      .flatMap(({ voices }) => voices)
      .filter(({ records }) => records.length > 0)
      .map(({ key, records: { length: size } }) => {
        const root = this.#chains.get(key)?.root(size) ?? new Uint8Array();
        return { author: key, size, root: hex(root) };
      })
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

function memberState(
  { member, voices, isOpen }: Speech,
  updates: readonly AcceptedUpdate[],
  spending: Decisions['spending'],
): MemberState {
  const { site, name, addresses, joinedWith } = member;
  const { role, patients, weight } = termsNow(member);
  return {
    site,
    name,
    role,
    patients,
    weight,
    addresses,
    keys: voices.map(({ key }) => key),
    joinedWith,
    isRemoved: isRemoved(member),
    isHeard: isOpen,
    lastRound: Math.max(0, ...roundsOf(site, updates)),
    logSize: voices.reduce((sum, { records }) => sum + records.length, 0),
    spending: spending.get(site) ?? null,
  };
}

function roundsOf(site: SiteId, updates: readonly AcceptedUpdate[]): number[] {
  return updates.filter((update) => update.site === site).map(({ round }) => round);
}

function rounds(
  { speeches }: RosterHistory,
  updates: readonly AcceptedUpdate[],
  counted: ReadonlySet<AcceptedUpdate>,
): RoundState[] {
  const byRound = Map.groupBy(updates, ({ round }) => round);
  const expected = speeches.map((speech) => expectedIn(speech, updates));
  return Array.from({ length: Math.max(0, ...byRound.keys()) }, (_, i) => {
    const ofRound = byRound.get(i + 1) ?? [];
    const present = new Set(ofRound.map(({ site }) => site));
    return {
      round: i + 1,
      updates: ofRound.map((update) => ({ ...update, counted: counted.has(update) })),
      absent: expected
        .filter(({ site, from, to }) => from <= i + 1 && i + 1 <= to && !present.has(site))
        .map(({ site }) => site),
    };
  });
}

/**
 * The rounds in which a member's absence is told: all of a founding trainer's, those of an added one from its first update on, and those of one that trains
 * no more up to its last.
 */
function expectedIn(
  { member }: Speech,
  updates: readonly AcceptedUpdate[],
): { site: SiteId; from: number; to: number } {
  const { site, joinedWith, terms } = member;
  const given = roundsOf(site, updates);
  const isFounding = joinedWith === 0 && terms[0]?.role === 'trainer';
  const isTrainer = !isRemoved(member) && termsNow(member).role === 'trainer';
  return {
    site,
    from: isFounding ? 1 : Math.min(...given, Number.POSITIVE_INFINITY),
    to: isTrainer ? Number.POSITIVE_INFINITY : Math.max(0, ...given),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
