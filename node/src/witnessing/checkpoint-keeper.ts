import {
  bareNote,
  consistencyProof,
  LogError,
  type LogStore,
  parseNoteSignature,
  signCheckpoint,
} from '@consilium/log';
import type { Clock, CosignReply, Network } from '@consilium/network';
import { type SiteId, type SiteKey, sign } from '@consilium/records';
import { logKeyOf } from '@consilium/study';
import type { RandomBytes } from '@consilium/weights';
import { attempt } from '../attempt.ts';
import type { Logger } from '../logger.ts';
import type { OwnLog } from '../own-log.ts';
import { Wakeup } from '../wakeup.ts';
import { type CosignedCheckpoint, withCosignature } from './cosigned-checkpoint.ts';
import type { LogTrees } from './log-trees.ts';
import type { NoteBook } from './note-book.ts';
import type { CircleMember, WitnessCircle } from './witness-circle.ts';

export interface CheckpointKeeperComponents {
  readonly key: SiteKey;
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly log: Pick<LogStore, 'head' | 'onAppend'>;
  readonly trees: LogTrees;
  readonly book: NoteBook;
  readonly circle: WitnessCircle;
  readonly network: Pick<Network, 'cosign' | 'peers'>;
  readonly ownLog: Pick<OwnLog, 'maySign'>;
  /** Hears of two checkpoints that a witness holds up against this site's own. */
  readonly onAccused: (notes: readonly Uint8Array[]) => Promise<void>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
}

export interface CheckpointKeeperInit {
  /** How long the log has to be quiet before it is signed how long it is: records that follow one another share a checkpoint. @default 300 */
  readonly quietMs?: number;
  /** First and longest pause between two rounds of asking; doubles, times 0.5…1.5. @default 1_000 and 60_000 */
  readonly retryBaseMs?: number;
  readonly retryCapMs?: number;
}

/** How often it is looked whether a member has come back. */
const lookMs = 1_000;
/** How often a witness may say in a round that it cosigned another size. */
const mostConflicts = 3;

/**
 * Signs how long the site's own log is whenever it has grown, and asks the other members to cosign, for ever and with longer and longer pauses, until enough of
 * them have. Beside everything else that the site does: nothing waits for it, and all that it has is on disk.
 */
export class CheckpointKeeper {
  readonly #components: CheckpointKeeperComponents;
  readonly #init: Required<CheckpointKeeperInit>;
  readonly #wakeup = new Wakeup();
  /** What each witness cosigned last, as far as it said so in this run. */
  readonly #cosignedSizes = new Map<SiteId, number>();

  constructor(components: CheckpointKeeperComponents, init: CheckpointKeeperInit = {}) {
    this.#components = components;
    this.#init = { quietMs: 300, retryBaseMs: 1_000, retryCapMs: 60_000, ...init };
  }

  /** Runs until `signal` aborts; resolves then. @throws {LogError} `DISK_FULL`. */
  async run(signal: AbortSignal): Promise<void> {
    const { key, log, logger } = this.#components;
    const unsubscribe = log.onAppend(({ author }) => {
      if (author === key.id) this.#wakeup.wake();
    });
    try {
      for (let tries = 0; !signal.aborted; ) {
        const before = this.#situation();
        let isDone = false;
        await attempt('witnesses', { logger, signal }, async () => {
          isDone = await this.#turn(signal);
        });
        const { retryCapMs } = this.#init;
        await this.#pause(isDone ? retryCapMs : this.#pauseMs(tries), before, signal);
        const hasNews = isNews(before, this.#situation());
        tries = isDone || hasNews ? 0 : tries + 1;
        await this.#quiet(before.size, signal);
      }
    } finally {
      unsubscribe();
    }
  }

  /** Whether the log as it is now has been signed and witnessed. */
  async #turn(signal: AbortSignal): Promise<boolean> {
    const { key, book, circle, ownLog } = this.#components;
    if (!ownLog.maySign) return false;
    const own = await this.#signed();
    if (own === null || book.isWitnessed(own)) return true;
    const { connected } = this.#situation();
    const missing = circle
      .witnessesOf(key.id)
      .filter(({ site }) => connected.has(site) && !own.cosignatures.has(site));
    await Promise.all(missing.map((witness) => this.#ask(witness, own, signal)));
    const now = book.newest(key.id);
    return now !== null && book.isWitnessed(now) && now.checkpoint.size === this.#size;
  }

  /** The checkpoint over the log as it is now, on disk before anybody is shown it; null for an empty log. */
  async #signed(): Promise<CosignedCheckpoint | null> {
    const { key, study, log, book } = this.#components;
    const { size, root } = log.head(key.id);
    const newest = book.newest(key.id);
    if (size === 0 || (newest !== null && newest.checkpoint.size >= size)) return newest;
    const checkpoint = signCheckpoint(
      { size, root },
      { ...logKeyOf(study, key.id), sign: (message) => sign(message, key.secretKey) },
    );
    await book.keep({ site: key.id, checkpoint, cosignatures: new Map() });
    return book.newest(key.id);
  }

  async #ask(witness: CircleMember, own: CosignedCheckpoint, signal: AbortSignal): Promise<void> {
    const { logger } = this.#components;
    for (let conflicts = 0; conflicts < mostConflicts; conflicts += 1) {
      const reply = await this.#replyOf(witness, own, signal);
      if (reply?.type !== 'conflict') {
        if (reply !== null) await this.#take(reply, witness, own);
        return;
      }
      if (reply.size > own.checkpoint.size) break;
      this.#cosignedSizes.set(witness.site, reply.size);
    }
    logger.warn(
      { site: witness.site, name: witness.name },
      'a witness says that it cosigned what this site never signed',
    );
  }

  /** Null when the line broke, or the member did. */
  async #replyOf(
    { site }: CircleMember,
    { checkpoint }: CosignedCheckpoint,
    signal: AbortSignal,
  ): Promise<CosignReply | null> {
    const { key, study, trees, network, logger } = this.#components;
    const oldSize = this.#cosignedSizes.get(site) ?? 0;
    const leaves = await trees.leafHashes(key.id, checkpoint.size);
    if (leaves === undefined) return null;
    const proof = oldSize === 0 ? [] : consistencyProof(leaves, oldSize);
    const request = { oldSize, proof, checkpoint: bareNote(checkpoint, logKeyOf(study, key.id)) };
    try {
      return await network.cosign(site, request, signal);
    } catch (error) {
      // Whatever a peer did: the network has judged it, and the next round asks again.
      const { code = 'UNKNOWN' } = error as { code?: string };
      if (!signal.aborted) logger.debug({ site, code }, 'a witness could not be asked');
      return null;
    }
  }

  async #take(
    reply: Exclude<CosignReply, { type: 'conflict' }>,
    { site, name }: CircleMember,
    own: CosignedCheckpoint,
  ): Promise<void> {
    const { book, logger, onAccused } = this.#components;
    switch (reply.type) {
      case 'cosigned': {
        const cosigned = this.#verified(reply.line, site, own);
        if (cosigned === null) {
          logger.warn({ site, name }, 'a witness gave a cosignature that is not one by its key');
          return;
        }
        this.#cosignedSizes.set(site, own.checkpoint.size);
        await book.keep(cosigned);
        return;
      }
      case 'contradiction':
        logger.error(
          { site, name },
          'SPLIT VIEW: a witness holds up another checkpoint that is signed with this site’s key',
        );
        await onAccused([reply.contradiction.smaller, reply.contradiction.larger]);
        return;
      case 'refused':
        logger.debug({ site, name, code: reply.code }, 'a witness does not cosign');
    }
  }

  #verified(line: Uint8Array, witness: SiteId, own: CosignedCheckpoint): CosignedCheckpoint | null {
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(line);
      return withCosignature(own, parseNoteSignature(text), witness, this.#components.study);
    } catch (error) {
      if (error instanceof LogError || error instanceof TypeError) return null;
      throw error;
    }
  }

  /** Waits, at most until there is news. */
  async #pause(pauseMs: number, before: Situation, signal: AbortSignal): Promise<void> {
    const { clock } = this.#components;
    const until = clock.now() + pauseMs;
    while (!signal.aborted && clock.now() < until && !isNews(before, this.#situation())) {
      const leftMs = Math.max(0, until - clock.now());
      await this.#wakeup.wait(clock, Math.min(lookMs, leftMs), signal);
    }
  }

  /** Waits until the log has stopped growing, if it has grown. */
  async #quiet(sizeBefore: number, signal: AbortSignal): Promise<void> {
    const pause = new Wakeup();
    for (let size = sizeBefore; size !== this.#size && !signal.aborted; ) {
      size = this.#size;
      await pause.wait(this.#components.clock, this.#init.quietMs, signal);
    }
  }

  #pauseMs(tries: number): number {
    const { retryBaseMs, retryCapMs } = this.#init;
    const [byte = 0] = this.#components.random(1);
    return Math.min(retryBaseMs * 2 ** Math.min(tries, 16), retryCapMs) * (0.5 + byte / 256);
  }

  #situation(): Situation {
    const { network, ownLog } = this.#components;
    const connected = network.peers().flatMap((peer) => (peer.connected ? [peer.site] : []));
    return { size: this.#size, maySign: ownLog.maySign, connected: new Set(connected) };
  }

  get #size(): number {
    return this.#components.log.head(this.#components.key.id).size;
  }
}

/** What decides whether it is worth while to ask. */
interface Situation {
  readonly size: number;
  readonly maySign: boolean;
  readonly connected: ReadonlySet<SiteId>;
}

function isNews(before: Situation, now: Situation): boolean {
  return (
    now.size !== before.size ||
    now.maySign !== before.maySign ||
    [...now.connected].some((site) => !before.connected.has(site))
  );
}
