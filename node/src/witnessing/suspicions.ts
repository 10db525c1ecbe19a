import {
  bareNote,
  type Contradiction,
  contradictionOf,
  createTurns,
  LogError,
  type LogStore,
  type NoteStore,
  openCheckpoint,
  type VerifiedCheckpoint,
} from '@consilium/log';
import type { EquivocationBody, SiteId } from '@consilium/records';
import { logKeyOf, verifyNote } from '@consilium/study';
import type { Logger } from '../logger.ts';
import type { Charge } from './accuser.ts';
import type { LogTrees } from './log-trees.ts';
import type { NoteBook } from './note-book.ts';
import type { WitnessCircle } from './witness-circle.ts';

interface SuspicionsComponents {
  readonly store: NoteStore;
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly circle: WitnessCircle;
  readonly book: NoteBook;
  readonly trees: LogTrees;
  readonly log: Pick<LogStore, 'forks'>;
  readonly logger: Pick<Logger, 'error' | 'warn'>;
}

/** A checkpoint that its site signed, of another log than the one that it gave this site. */
interface Suspicion {
  readonly site: SiteId;
  readonly size: number;
  /** What everybody can check: null until a second checkpoint, of the log that is here and at least as long, is known. */
  readonly proof: EquivocationBody | null;
}

/**
 * Checkpoints that contradict the log that is here. The site that signed one has told two stories; this node alone knows that the log here is one of them,
 * until another checkpoint makes it a proof for everybody. Of each site the one of the shortest log is kept.
 */
export class Suspicions {
  readonly #components: SuspicionsComponents;
  readonly #suspects = new Map<SiteId, VerifiedCheckpoint>();
  readonly #proofs = new Map<SiteId, EquivocationBody>();
  readonly #inTurn = createTurns();

  private constructor(components: SuspicionsComponents) {
    this.#components = components;
  }

  /** @throws {LogError} `STORE`. */
  static async open(components: SuspicionsComponents): Promise<Suspicions> {
    const { store, study, logger } = components;
    const suspicions = new Suspicions(components);
    for (const [name, bytes] of await store.entries()) {
      const [slot, site = ''] = name.split('/');
      if (slot !== 'suspect') continue;
      try {
        suspicions.#suspects.set(site, openCheckpoint(bytes, logKeyOf(study, site), verifyNote));
        await suspicions.review(site);
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        logger.warn({ site, code: error.code }, 'evidence on disk cannot be read');
      }
    }
    return suspicions;
  }

  all(): Suspicion[] {
    return [...this.#suspects].map(([site, { size }]) => ({
      site,
      size,
      proof: this.#proofs.get(site) ?? null,
    }));
  }

  /** What everybody can check. */
  proven(): Charge[] {
    return this.all().flatMap(({ site, size, proof }) =>
      proof === null ? [] : [{ site, index: size - 1, body: proof }],
    );
  }

  /** Whether a checkpoint of that size would tell nothing new against a site. */
  covers(site: SiteId, size: number): boolean {
    return (this.#suspects.get(site)?.size ?? Number.POSITIVE_INFINITY) <= size;
  }

  /**
   * Takes a checkpoint that is not of the log here. Where two records that differ are known already, it tells nothing new.
   * @throws {LogError} `DISK_FULL`, `STORE`.
   */
  add(site: SiteId, checkpoint: VerifiedCheckpoint): Promise<void> {
    return this.#inTurn(site, () => this.#add(site, checkpoint));
  }

  async #add(site: SiteId, checkpoint: VerifiedCheckpoint): Promise<void> {
    const { store, study, circle, log, logger } = this.#components;
    if (this.covers(site, checkpoint.size)) return;
    const isForked = (await log.forks()).some(
      ({ author, index }) => author === site && index < checkpoint.size,
    );
    if (isForked) return;
    await store.put(`suspect/${site}`, bareNote(checkpoint, logKeyOf(study, site)));
    this.#suspects.set(site, checkpoint);
    this.#proofs.delete(site);
    logger.error(
      { site, name: circle.nameOf(site), size: checkpoint.size },
      'SPLIT VIEW: a site has signed a checkpoint of another log than it gave this one',
    );
    await this.#review(site);
  }

  /** Tries to make a proof of a suspicion; call when a longer checkpoint of the log here is known. */
  review(site: SiteId): Promise<void> {
    return this.#inTurn(site, () => this.#review(site));
  }

  async #review(site: SiteId): Promise<void> {
    const { study, book, trees, circle, logger } = this.#components;
    const suspect = this.#suspects.get(site);
    const newest = book.newest(site)?.checkpoint;
    if (suspect === undefined || newest === undefined || this.#proofs.has(site)) return;
    if (newest.size < suspect.size) return;
    const leaves = await trees.leafHashes(site, newest.size);
    if (leaves === undefined) return;
    const proof: Contradiction | undefined = contradictionOf(
      suspect,
      newest,
      logKeyOf(study, site),
      leaves,
    );
    if (proof === undefined) return;
    this.#proofs.set(site, { site, ...proof });
    logger.error(
      { site, name: circle.nameOf(site), size: suspect.size },
      'SPLIT VIEW PROVEN: two signed checkpoints of a site cannot both be true; all members are told',
    );
  }
}
