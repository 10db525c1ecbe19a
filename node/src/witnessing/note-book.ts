import { createHash } from 'node:crypto';
import { createTurns, LogError, type NoteStore } from '@consilium/log';
import type { NoteClaim } from '@consilium/network';
import type { SiteId } from '@consilium/records';
import type { Logger } from '../logger.ts';
import {
  type CosignedCheckpoint,
  encodeCosigned,
  merged,
  openCosigned,
} from './cosigned-checkpoint.ts';
import type { CircleMember, WitnessCircle } from './witness-circle.ts';

interface NoteBookComponents {
  readonly store: NoteStore;
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly circle: WitnessCircle;
  readonly logger: Pick<Logger, 'warn'>;
}

/** The two checkpoints of a log that matter: the one of the longest log, and the longest that enough members cosigned. Often they are one. */
interface Page {
  readonly newest: CosignedCheckpoint | null;
  readonly witnessed: CosignedCheckpoint | null;
}

/** As the protocol bounds it; not taken from there, so that commands which only read need not load the network. */
export const mostClaims = 512;

const slots = ['newest', 'witnessed'] as const;
const blank: Page = { newest: null, witnessed: null };

/** The checkpoints that a site holds of every member's log, its own included, with all cosignatures that it knows. Each agrees with the log that is here. */
export class NoteBook {
  readonly #components: NoteBookComponents;
  readonly #pages = new Map<SiteId, Page>();
  readonly #inTurn = createTurns();

  private constructor(components: NoteBookComponents) {
    this.#components = components;
  }

  /** Opens the book. A note that cannot be read is left out: members have it, too. @throws {LogError} `STORE`. */
  static async open(components: NoteBookComponents): Promise<NoteBook> {
    const { store, study, circle, logger } = components;
    const book = new NoteBook(components);
    for (const [name, bytes] of await store.entries()) {
      const [slot, site = ''] = name.split('/');
      if (slot !== 'newest' && slot !== 'witnessed') continue;
      try {
        const opened = openCosigned(bytes, study, circle.authors());
        if (opened.site === site) book.#pages.set(site, { ...book.#page(site), [slot]: opened });
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        logger.warn(
          { site, code: error.code },
          'a checkpoint on disk cannot be read; members are asked for it',
        );
      }
    }
    return book;
  }

  newest(site: SiteId): CosignedCheckpoint | null {
    return this.#page(site).newest;
  }

  witnessed(site: SiteId): CosignedCheckpoint | null {
    return this.#page(site).witnessed;
  }

  /** The members that cosigned a checkpoint, of those that can. */
  cosignedBy({ site, cosignatures }: CosignedCheckpoint): CircleMember[] {
    return this.#components.circle
      .witnessesOf(site)
      .filter((witness) => cosignatures.has(witness.site));
  }

  /** The same in short, as it is told to others. */
  cosignersOf(cosigned: CosignedCheckpoint): Pick<NoteClaim, 'cosigned' | 'cosigners'> {
    const by = this.cosignedBy(cosigned).map(({ site }) => site);
    const lines = by.sort().map((site) => `${site}\n`);
    const cosigners = new Uint8Array(createHash('sha256').update(lines.join('')).digest());
    return { cosigned: by.length, cosigners };
  }

  /** Whether enough members cosigned it. */
  isWitnessed(cosigned: CosignedCheckpoint): boolean {
    return this.cosignedBy(cosigned).length >= this.#components.circle.quorumOf(cosigned.site);
  }

  /**
   * Keeps a checkpoint that agrees with the log here, and puts together what is known of it. Resolves when it survives a power cut.
   * @throws {LogError} `DISK_FULL`, `STORE`.
   */
  keep(cosigned: CosignedCheckpoint): Promise<void> {
    const { site } = cosigned;
    return this.#inTurn(site, async () => {
      const before = this.#page(site);
      const after = this.#turned(before, cosigned);
      for (const slot of slots) {
        const checkpoint = after[slot];
        if (checkpoint === null || checkpoint === before[slot]) continue;
        const { store, study } = this.#components;
        await store.put(`${slot}/${site}`, encodeCosigned(checkpoint, study));
      }
      this.#pages.set(site, after);
    });
  }

  #turned({ newest, witnessed }: Page, cosigned: CosignedCheckpoint): Page {
    const isSame = (kept: CosignedCheckpoint | null): boolean =>
      kept?.checkpoint.note.text === cosigned.checkpoint.note.text;
    const isLonger = (kept: CosignedCheckpoint | null): boolean =>
      kept === null || cosigned.checkpoint.size > kept.checkpoint.size;
    const same = [newest, witnessed].find(isSame) ?? null;
    const known = same === null ? cosigned : merged(same, cosigned);
    return {
      newest: isSame(newest) || isLonger(newest) ? known : newest,
      witnessed:
        isSame(witnessed) || (isLonger(witnessed) && this.isWitnessed(known)) ? known : witnessed,
    };
  }

  /** What the book can hand out: of each log at most two notes, of the members' first where there are too many; ascending by author and size. */
  claims(): NoteClaim[] {
    const speakers = new Set(this.#components.circle.speakers());
    const rank = ({ author }: NoteClaim): number => (speakers.has(author) ? 0 : 1);
    return [...this.#pages]
      .flatMap(([author, page]) => this.#claimsOf(author, page))
      .sort((a, b) => rank(a) - rank(b))
      .slice(0, mostClaims)
      .sort((a, b) => (a.author === b.author ? a.size - b.size : a.author < b.author ? -1 : 1));
  }

  #claimsOf(author: SiteId, { newest, witnessed }: Page): NoteClaim[] {
    const isOne = newest?.checkpoint.size === witnessed?.checkpoint.size;
    return [newest, isOne ? null : witnessed].flatMap((kept) => {
      if (kept === null) return [];
      const { size, root } = kept.checkpoint;
      return [{ author, size, root, ...this.cosignersOf(kept) }];
    });
  }

  /** One of these notes. */
  note(site: SiteId, size: number): Uint8Array | undefined {
    const { newest, witnessed } = this.#page(site);
    const found = [newest, witnessed].find((kept) => kept?.checkpoint.size === size);
    return found ? encodeCosigned(found, this.#components.study) : undefined;
  }

  #page(site: SiteId): Page {
    return this.#pages.get(site) ?? blank;
  }
}
