import {
  bareNote,
  createTurns,
  createWitness,
  formatNoteSignature,
  LogError,
  type NoteSignature,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  type VerifiedCheckpoint,
  type Witness,
  type WitnessStore,
} from '@consilium/log';
import type { Clock, CosignReply } from '@consilium/network';
import { type SiteId, type SiteKey, sign } from '@consilium/records';
import { logKeyOf, logName, siteOfLog, verifyNote, witnessKeyOf } from '@consilium/study';
import type { OwnLog } from '../own-log.ts';
import { type CosignedCheckpoint, withCosignature } from './cosigned-checkpoint.ts';
import type { LogTrees } from './log-trees.ts';
import type { NoteBook } from './note-book.ts';
import type { Suspicions } from './suspicions.ts';
import type { WitnessCircle } from './witness-circle.ts';

interface MemberWitnessComponents {
  readonly key: SiteKey;
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly circle: WitnessCircle;
  readonly store: WitnessStore;
  readonly trees: LogTrees;
  readonly book: NoteBook;
  readonly suspicions: Suspicions;
  readonly ownLog: Pick<OwnLog, 'isSettled'>;
  readonly clock: Pick<Clock, 'now'>;
}

type CosignRequest = Parameters<Witness['cosign']>[0];

/**
 * Cosigns the other members' logs. A member replicates these logs anyway, so it is stricter than a witness has to be: it cosigns only what it holds, as far as
 * it holds it. So a cosigned record is on the disk of everybody who cosigned it, and whoever holds a checkpoint of a log can give back the log.
 *
 * What it forgot, it does not deny: a note with its own cosignature, from whichever member, raises what it knows to have cosigned.
 */
export class MemberWitness {
  readonly #components: MemberWitnessComponents;
  readonly #witness: Witness;
  /** One thing at a time for each log. */
  readonly #inTurn = createTurns();

  constructor(components: MemberWitnessComponents) {
    this.#components = components;
    const { key, study, circle, store, clock } = components;
    this.#witness = createWitness({
      store,
      signer: {
        ...witnessKeyOf(study, key.id),
        sign: (message) => sign(message, key.secretKey),
      },
      verify: verifyNote,
      logKey: (origin) => {
        const site = siteOfLog(study, origin);
        return site === undefined || !circle.authors().includes(site)
          ? undefined
          : logKeyOf(study, site);
      },
      nowSeconds: () => Math.floor(clock.now() / 1000),
    });
  }

  /** Answers `asker`, who may ask for its own log and for no other. @throws {LogError} `DISK_FULL`, `STORE`: then nothing was cosigned. */
  async cosign(asker: SiteId, request: CosignRequest): Promise<CosignReply> {
    const { trees, suspicions, ownLog } = this.#components;
    if (!ownLog.isSettled) return refused('not-now');
    const offered = this.#opened(asker, request.checkpoint);
    if (typeof offered === 'string') return refused(offered);
    const root = await trees.rootAt(asker, offered.size);
    if (root === undefined) return refused('behind');
    if (Buffer.compare(root, offered.root) !== 0) {
      await suspicions.add(asker, offered);
      return this.#contradicted(asker) ?? refused('inconsistent');
    }
    return this.#inTurn(asker, () => this.#answer(asker, offered, request));
  }

  /** Takes a note in which this site’s own cosignature was found. @throws {LogError} `DISK_FULL`, `STORE`. */
  async recall({ site, checkpoint, cosignatures }: CosignedCheckpoint): Promise<void> {
    const { key, study, store } = this.#components;
    if (!cosignatures.has(key.id)) return;
    await this.#inTurn(site, async () => {
      const name = logName(study, site);
      const held = await store.get(name);
      if (held !== undefined && sizeOf(held) >= checkpoint.size) return;
      await store.put(name, bareNote(checkpoint, logKeyOf(study, site)));
    });
  }

  #opened(
    asker: SiteId,
    bytes: Uint8Array,
  ): VerifiedCheckpoint | 'bad-signature' | 'malformed' | 'unknown-log' {
    const { study, circle } = this.#components;
    try {
      const { origin, size } = parseCheckpoint(parseNote(bytes).text);
      if (origin !== logName(study, asker) || !circle.authors().includes(asker))
        return 'unknown-log';
      return size === 0 ? 'malformed' : openCheckpoint(bytes, logKeyOf(study, asker), verifyNote);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      return error.code === 'NOTE_SIGNATURE' ? 'bad-signature' : 'malformed';
    }
  }

  async #answer(
    asker: SiteId,
    offered: VerifiedCheckpoint,
    request: CosignRequest,
  ): Promise<CosignReply> {
    const answer = await this.#witness.cosign(request);
    switch (answer.status) {
      case 'cosigned':
        await this.#keep(asker, offered, answer.cosignature);
        return { type: 'cosigned', line: encoded(answer.cosignature) };
      case 'conflict':
        return { type: 'conflict', size: answer.size };
      case 'split-view':
        await this.#split(asker, offered, answer.evidence.first);
        return this.#contradicted(asker) ?? refused('inconsistent');
      default:
        return refused(answer.status);
    }
  }

  async #keep(
    site: SiteId,
    checkpoint: VerifiedCheckpoint,
    cosignature: NoteSignature,
  ): Promise<void> {
    const { key, study, book, suspicions } = this.#components;
    const bare = { site, checkpoint, cosignatures: new Map() };
    await book.keep(withCosignature(bare, cosignature, key.id, study));
    await suspicions.review(site);
  }

  /** What this site once cosigned is not the log that it holds now. */
  async #split(site: SiteId, offered: VerifiedCheckpoint, held: Uint8Array): Promise<void> {
    const { study, book, suspicions } = this.#components;
    await book.keep({ site, checkpoint: offered, cosignatures: new Map() });
    await suspicions.add(site, openCheckpoint(held, logKeyOf(study, site), verifyNote));
  }

  #contradicted(site: SiteId): CosignReply | undefined {
    const proof = this.#components.suspicions.all().find((each) => each.site === site)?.proof;
    return proof ? { type: 'contradiction', contradiction: proof } : undefined;
  }
}

function refused(code: Extract<CosignReply, { type: 'refused' }>['code']): CosignReply {
  return { type: 'refused', code };
}

function encoded(cosignature: NoteSignature): Uint8Array {
  return new TextEncoder().encode(formatNoteSignature(cosignature));
}

/** The size that a stored note says; infinite for one that cannot be read: the witness itself will not go on from it. */
function sizeOf(note: Uint8Array): number {
  try {
    return parseCheckpoint(parseNote(note).text).size;
  } catch (error) {
    if (error instanceof LogError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}
