import type { LogStore } from '@consilium/log';
import { openRecord, type SiteId } from '@consilium/records';
import { NodeError } from './error.ts';

export interface OwnLogInit {
  /** Records that the site's own log is known to have had before damage cut it; these are taken back from peers without being asked. */
  readonly sizeBeforeDamage: number;
  /** Whether the operator wants the members' copy of this site's log, however long it is. */
  readonly isRestoring: boolean;
}

/**
 * Watches over the site's own log. A member that holds a longer one, or a checkpoint over a longer one, signed by this site, proves that this disk is an old
 * copy: what was said since, and the privacy that was spent for it, is missing here. Nothing may be read or signed then.
 *
 * Nothing of the longer log is taken either, so that the next start sees the same, until the operator asks for it.
 */
export class OwnLog {
  readonly #self: SiteId;
  readonly #log: Pick<LogStore, 'head'>;
  readonly #init: OwnLogInit;
  #knownElsewhere = 0;
  /** Records that a checkpoint of this site's own says there are, while the operator restores. */
  #toRecover = 0;
  #isSettled = false;

  constructor(self: SiteId, log: Pick<LogStore, 'head'>, init: OwnLogInit) {
    this.#self = self;
    this.#log = log;
    this.#init = init;
  }

  /** Whether records of its own are still on their way back. */
  get isRecovering(): boolean {
    return this.#size < Math.max(this.#init.sizeBeforeDamage, this.#toRecover);
  }

  get isRestoring(): boolean {
    return this.#init.isRestoring;
  }

  /** Whether other members were asked for what this disk may lack. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Tells that they were. */
  settle(): void {
    this.#isSettled = true;
  }

  /** Whether this site may sign how long its own log is. */
  get maySign(): boolean {
    return this.#isSettled && !this.isRecovering && this.#knownElsewhere <= this.#size;
  }

  /** Hears of a checkpoint over `size` records that this site signed: it must have had them. */
  hear(size: number): void {
    if (size <= Math.max(this.#size, this.#init.sizeBeforeDamage)) return;
    if (this.#init.isRestoring) this.#toRecover = Math.max(this.#toRecover, size);
    else this.#knownElsewhere = Math.max(this.#knownElsewhere, size);
  }

  /** Looks at an entry that a member offers. @throws {NodeError} `ROLLED_BACK` for one of this site's own that its log does not reach. */
  admit(entry: Uint8Array): void {
    const { author, index } = openRecord(entry).record;
    if (author !== this.#self || this.#init.isRestoring) return;
    if (index < Math.max(this.#size, this.#init.sizeBeforeDamage)) return;
    this.#knownElsewhere = Math.max(this.#knownElsewhere, index + 1);
    this.check();
  }

  /** @throws {NodeError} `ROLLED_BACK` once a member has shown a longer log. */
  check(): void {
    if (this.#knownElsewhere <= this.#size) return;
    throw new NodeError(
      'ROLLED_BACK',
      `this disk is an old copy: it has ${this.#size} of the site’s own records, a member holds at least ${this.#knownElsewhere}; nothing was read and nothing was signed`,
      'stop every other node that runs on this key, then run `consilium start --restore` while most members can be reached',
    );
  }

  get #size(): number {
    return this.#log.head(this.#self).size;
  }
}
