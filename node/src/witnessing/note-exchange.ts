import { bareNote, LogError, type LogStore } from '@consilium/log';
import type { NoteClaim, Witnessing } from '@consilium/network';
import { MAX_EVIDENCE_NOTE_BYTES, type SiteId } from '@consilium/records';
import { logKeyOf } from '@consilium/study';
import type { Logger } from '../logger.ts';
import type { OwnLog } from '../own-log.ts';
import { type CosignedCheckpoint, openCosigned } from './cosigned-checkpoint.ts';
import type { LogTrees } from './log-trees.ts';
import type { MemberWitness } from './member-witness.ts';
import type { NoteBook } from './note-book.ts';
import type { Suspicions } from './suspicions.ts';
import type { WitnessCircle } from './witness-circle.ts';

interface NoteExchangeComponents {
  readonly self: SiteId;
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly circle: WitnessCircle;
  readonly log: Pick<LogStore, 'head'>;
  readonly trees: LogTrees;
  readonly book: NoteBook;
  readonly suspicions: Suspicions;
  readonly witness: MemberWitness;
  readonly ownLog: Pick<OwnLog, 'hear'>;
  readonly logger: Pick<Logger, 'error'>;
}

/** How a checkpoint stands to the log that is here. */
type Relation = 'agrees' | 'ahead' | 'contradicts';

/** What this site gives to other members and takes from them beside the records: checkpoints and cosignatures. */
export class NoteExchange implements Witnessing {
  readonly #components: NoteExchangeComponents;

  constructor(components: NoteExchangeComponents) {
    this.#components = components;
  }

  async cosign(
    ...[site, request]: Parameters<Witnessing['cosign']>
  ): ReturnType<Witnessing['cosign']> {
    try {
      return await this.#components.witness.cosign(site, request);
    } catch (error) {
      const { code = 'UNKNOWN', message = String(error) } = error as LogError;
      this.#components.logger.error({ site, code }, `cannot cosign: ${message}`);
      throw error;
    }
  }

  claims(): readonly NoteClaim[] {
    return this.#components.book.claims();
  }

  async note(author: SiteId, size: number): Promise<Uint8Array | undefined> {
    return this.#components.book.note(author, size);
  }

  async wants({ author, size, root, cosigned, cosigners }: NoteClaim): Promise<boolean> {
    const { self, circle, book, suspicions } = this.#components;
    if (!circle.authors().includes(author)) return false;
    const relation = await this.#relationOf(author, size, root);
    // A longer log of this site's own means that this disk is an old copy.
    if (relation === 'ahead') return author === self;
    if (relation === 'contradicts') return !suspicions.covers(author, size);
    const [newest, witnessed] = [book.newest(author), book.witnessed(author)];
    const same = [newest, witnessed].find((kept) => kept?.checkpoint.size === size);
    if (same) {
      // Of two sets of one size each side takes the other's; of two others, who has the smaller one does, and is asked in turn.
      const ours = book.cosignersOf(same);
      return cosigned >= ours.cosigned && Buffer.compare(cosigners, ours.cosigners) !== 0;
    }
    if (size > (newest?.checkpoint.size ?? 0)) return true;
    return cosigned >= circle.quorumOf(author) && size > (witnessed?.checkpoint.size ?? 0);
  }

  async take(_site: SiteId, claim: NoteClaim, bytes: Uint8Array): Promise<boolean> {
    const opened = this.#opened(bytes);
    if (opened === null || !isOf(claim, opened)) return false;
    await this.hear(opened);
    return true;
  }

  /** Takes notes that are said to be evidence; those that are none tell nothing. @throws {LogError} `DISK_FULL`, `STORE`. */
  async hearEvidence(notes: readonly Uint8Array[]): Promise<void> {
    for (const note of notes) {
      const opened = this.#opened(note);
      if (opened !== null) await this.hear(opened);
    }
  }

  /** Takes a checkpoint, wherever it comes from. @throws {LogError} `DISK_FULL`, `STORE`. */
  async hear(cosigned: CosignedCheckpoint): Promise<void> {
    const { self, log, book, suspicions, witness, ownLog, logger } = this.#components;
    const { site, checkpoint } = cosigned;
    await witness.recall(cosigned);
    const relation = await this.#relationOf(site, checkpoint.size, checkpoint.root);
    if (relation === 'agrees') {
      await book.keep(cosigned);
      await suspicions.review(site);
    } else if (relation === 'contradicts') {
      await suspicions.add(site, checkpoint);
    } else if (site === self) {
      logger.error(
        { size: checkpoint.size, here: log.head(self).size },
        'a member holds a checkpoint over more of this site’s own records than are here',
      );
      ownLog.hear(checkpoint.size);
    }
  }

  /** A note as it may be passed on: bounded, so that it always fits into a record as evidence. */
  #opened(bytes: Uint8Array): CosignedCheckpoint | null {
    const { study, circle } = this.#components;
    try {
      const opened = openCosigned(bytes, study, circle.authors());
      const bare = bareNote(opened.checkpoint, logKeyOf(study, opened.site));
      return bare.length <= MAX_EVIDENCE_NOTE_BYTES && opened.checkpoint.size > 0 ? opened : null;
    } catch (error) {
      if (error instanceof LogError) return null;
      throw error;
    }
  }

  async #relationOf(site: SiteId, size: number, root: Uint8Array): Promise<Relation> {
    const here = await this.#components.trees.rootAt(site, size);
    if (here === undefined) return 'ahead';
    return Buffer.compare(here, root) === 0 ? 'agrees' : 'contradicts';
  }
}

function isOf(
  { author, size, root }: NoteClaim,
  { site, checkpoint }: CosignedCheckpoint,
): boolean {
  return site === author && checkpoint.size === size && Buffer.compare(checkpoint.root, root) === 0;
}
