import type { BlobStore, LogStore } from '@consilium/log';
import type { Clock, Network } from '@consilium/network';
import { openRecord, type RecordDraft, type SiteKey, signRecord } from '@consilium/records';
import { StudyError, StudyFold, type StudyState } from '@consilium/study';
import type { RandomBytes } from '@consilium/weights';
import { attempt } from './attempt.ts';
import { contribute } from './contribute.ts';
import type { Logger } from './logger.ts';
import { modelHere } from './model-here.ts';
import { type Action, nextAction } from './pacing.ts';
import { PayloadFetches } from './payload-fetches.ts';
import { evaluationBody } from './recorded-evaluation.ts';
import type { Trainer } from './trainer.ts';
import type { CohortSource, JobProgress } from './training-messages.ts';
import type { TrainingStore } from './training-store.ts';
import { Wakeup } from './wakeup.ts';

export interface SiteComponents {
  readonly key: SiteKey;
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly log: LogStore;
  readonly blobs: Pick<BlobStore, 'get' | 'has' | 'put'>;
  readonly network: Pick<Network, 'announce' | 'fetchBlob' | 'sync'>;
  readonly trainer: Pick<Trainer, 'evaluate' | 'train'>;
  readonly trainingStore: TrainingStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
}

export interface SiteInit {
  readonly train: CohortSource | null;
  readonly test: CohortSource | null;
  readonly payloadBits: 8 | 16 | 32;
  readonly everyRounds: number;
  /**
   * Records that the site's own log is known to have had. While damage has left fewer, nothing is signed: a second record for a place that
   * was taken would be a fork, and exclude the site.
   */
  readonly ownRecords: number;
}

/** What the site is at, for people: no loss, no figure of a patient. */
export interface Activity {
  readonly kind:
    | 'starting'
    | 'connecting'
    | 'recovering'
    | 'training'
    | 'evaluating'
    | 'waiting'
    | 'finished'
    | 'watching';
  readonly round: number;
  readonly done: number;
  readonly total: number;
}

/** How long to wait before looking again when nothing wakes the site: the deadline of a round has to be noticed. */
const idleMs = 1_000;
/** How long to wait after a job or a transfer failed. */
const retryMs = 2_000;

/**
 * One hospital's loop: pull → replay → train → append → announce → evaluate, until aborted.
 *
 * All decisions are the fold's and the pacing's, which are pure; this class only carries them out. A failure of a step is logged and the
 * step is tried again: nothing that a peer or the training process does ends the loop; a full disk and unreadable images do.
 */
export class Site {
  readonly #components: SiteComponents;
  readonly #init: SiteInit;
  readonly #fold: StudyFold;
  readonly #wakeup = new Wakeup();
  /** Records of each author that the fold has. */
  readonly #taken = new Map<string, number>();
  readonly #payloads: PayloadFetches;
  #state: StudyState | null = null;
  /** When the state became what it is. */
  #stateSince: number;
  #activity: Activity = { kind: 'starting', round: 0, done: 0, total: 0 };
  #waitingSince: number;

  constructor(components: SiteComponents, init: SiteInit) {
    this.#components = components;
    this.#init = init;
    this.#fold = new StudyFold(components.study);
    this.#payloads = new PayloadFetches(components, () => this.#wakeup.wake());
    this.#waitingSince = components.clock.now();
    this.#stateSince = components.clock.now();
  }

  /** The last state that was computed, or null before the first. */
  get state(): StudyState | null {
    return this.#state;
  }

  get activity(): Activity {
    return this.#activity;
  }

  /** Runs until `signal` aborts; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, logger } = this.#components;
    const unsubscribe = log.onAppend(() => this.#wakeup.wake());
    logger.warn(
      { profile: 'off' },
      'this study runs WITHOUT differential privacy: updates may reveal training data',
    );
    try {
      // What the disk has is shown at once, whoever can be reached.
      await this.#takeRecords();
      await this.#replay();
      await this.#settle(signal);
      while (!signal.aborted) await this.#turn(signal);
    } finally {
      unsubscribe();
    }
  }

  /**
   * A disk that was restored from an old copy lacks the site's own last records. Nothing is signed before another member has been asked for them, however long
   * that takes: without one, nobody would hear it anyway.
   */
  async #settle(signal: AbortSignal): Promise<void> {
    const { clock, network, logger } = this.#components;
    const others = (this.#fold.founding()?.manifest.roster.length ?? 2) - 1;
    this.#show('connecting', 0);
    for (let tries = 0; others > 0 && !signal.aborted; tries++) {
      let answered = 0;
      await this.#tried('sync', signal, async () => {
        const { peers, failed } = await network.sync(signal);
        answered = peers - failed;
      });
      if (answered > 0) return;
      if (tries % 60 === 20) {
        logger.warn(
          {},
          'no member can be reached; nothing is signed before one was asked for this site’s own records',
        );
      }
      await this.#wakeup.wait(clock, 500, signal);
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { clock, key } = this.#components;
    await this.#takeRecords();
    const state = await this.#replay();
    this.#payloads.start(state?.missing ?? this.#initialWeights(), signal);
    if (state === null) {
      await this.#wakeup.wait(clock, retryMs, signal);
      return;
    }
    if (this.#components.log.head(key.id).size < this.#init.ownRecords) {
      this.#show('recovering', 0);
      await this.#wakeup.wait(clock, retryMs, signal);
      return;
    }
    const own = state.evaluations.filter(({ site }) => site === key.id);
    const action = nextAction(state, key.id, clock.now() - this.#waitingSince, {
      everyRounds: this.#init.everyRounds,
      lastRound: Math.max(0, ...own.map(({ round }) => round)),
      isStateDone: own.some(({ state: evaluated }) => evaluated === state.digest),
      hasPatients: this.#init.test !== null,
      unchangedMs: clock.now() - this.#stateSince,
    });
    // A payload of the round before is on its way: better to train on all of it, within the deadline. An older one is not waited for again.
    const isOnItsWay =
      'round' in action && state.missing.some(({ round }) => round >= action.round - 1);
    const canWait = clock.now() - this.#waitingSince < state.manifest.rounds.deadlineSeconds * 1000;
    if (isOnItsWay && canWait) await this.#wakeup.wait(clock, idleMs, signal);
    else await this.#act(action, state, signal);
  }

  async #act(action: Action, state: StudyState, signal: AbortSignal): Promise<void> {
    switch (action.kind) {
      case 'train':
        this.#show('training', action.round);
        if (!(await this.#tried('train', signal, () => this.#train(action.round, state, signal))))
          await this.#pause(signal);
        this.#waitingSince = this.#components.clock.now();
        return;
      case 'evaluate':
        this.#show('evaluating', action.round);
        if (
          !(await this.#tried('evaluate', signal, () =>
            this.#evaluate(action.round, state, signal),
          ))
        )
          await this.#pause(signal);
        return;
      case 'wait':
        this.#show('waiting', action.round);
        break;
      case 'finished':
        this.#show('finished', state.manifest.rounds.count);
        break;
      case 'watch':
        this.#show('watching', state.rounds.length);
        break;
    }
    await this.#wakeup.wait(this.#components.clock, idleMs, signal);
  }

  async #train(round: number, state: StudyState, signal: AbortSignal): Promise<void> {
    const { blobs, trainingStore, network, logger } = this.#components;
    if (this.#init.train === null)
      throw new StudyError(
        'BAD_MANIFEST',
        'the roster has this site as a trainer, its configuration names no patients to train on',
      );
    const contribution = await contribute(
      {
        ...this.#components,
        onProgress: (progress) => this.#progressed('training', round, progress),
      },
      { state, cohort: this.#init.train, payloadBits: this.#init.payloadBits, signal },
    );
    const digest = await blobs.put(contribution.payload);
    await trainingStore.save(round, contribution.training);
    await this.#append(state, {
      kind: 'update',
      body: {
        round,
        base: Buffer.from(state.digest, 'hex'),
        payload: { digest: Buffer.from(digest, 'hex'), bytes: contribution.payload.length },
        steps: contribution.steps,
        privacy: { profile: 'off' },
      },
    });
    await trainingStore.forget(round - 1);
    logger.info({ round, payload: digest, bytes: contribution.payload.length }, 'update signed');
    await this.#tried('announce', signal, () => network.announce());
  }

  async #evaluate(round: number, state: StudyState, signal: AbortSignal): Promise<void> {
    const { key, trainer, trainingStore, network, logger } = this.#components;
    if (this.#init.test === null) return;
    const { task, weights } = await modelHere(state, key.id, trainingStore);
    const { summary } = await trainer.evaluate(
      { task, weights, cohort: this.#init.test },
      { signal, onProgress: (progress) => this.#progressed('evaluating', round, progress) },
    );
    await this.#append(state, {
      kind: 'evaluation',
      body: evaluationBody(round, state.digest, summary),
    });
    logger.info({ round, state: state.digest }, 'evaluation signed');
    await this.#tried('announce', signal, () => network.announce());
  }

  async #append(state: StudyState, said: Pick<RecordDraft, 'kind' | 'body'>): Promise<void> {
    const { key, log, study } = this.#components;
    const head = log.head(key.id);
    const draft = {
      ...said,
      version: 1,
      study,
      author: key.id,
      index: head.size,
      previous: head.last,
      heads: state.heads.map(({ author, size, root }) => ({
        author,
        size,
        root: Buffer.from(root, 'hex'),
      })),
    } as RecordDraft;
    await log.append(signRecord(key, draft));
  }

  /** Gives the fold what the log has and it has not. */
  async #takeRecords(): Promise<void> {
    const { log } = this.#components;
    for (const { author, size } of log.heads()) {
      let taken = this.#taken.get(author) ?? 0;
      while (taken < size) {
        const entries = await log.read(author, taken, { maxEntries: 256, maxBytes: 4 * 2 ** 20 });
        if (entries.length === 0) break;
        for (const entry of entries) this.#fold.add(openRecord(entry));
        taken += entries.length;
      }
      this.#taken.set(author, taken);
    }
    for (const { entries } of await log.forks())
      for (const entry of entries) this.#fold.add(openRecord(entry));
  }

  async #replay(): Promise<StudyState | null> {
    try {
      const state = await this.#fold.state(this.#components.blobs);
      if (state.digest !== this.#state?.digest) this.#stateSince = this.#components.clock.now();
      this.#state = state;
      return state;
    } catch (error) {
      if (!(error instanceof StudyError)) throw error;
      this.#components.logger.info({ code: error.code }, error.message);
      return null;
    }
  }

  /** What the fold cannot begin without. */
  #initialWeights(): { digest: string; bytes: number }[] {
    const founding = this.#fold.founding();
    if (founding === null) return [];
    const { digest, bytes } = founding.manifest.initialWeights;
    return [{ digest: Buffer.from(digest).toString('hex'), bytes }];
  }

  #tried(what: string, signal: AbortSignal, work: () => Promise<unknown>): Promise<boolean> {
    return attempt(what, { logger: this.#components.logger, signal }, work);
  }

  #pause(signal: AbortSignal): Promise<void> {
    return this.#wakeup.wait(this.#components.clock, retryMs, signal);
  }

  #show(kind: Activity['kind'], round: number): void {
    this.#activity = { kind, round, done: 0, total: 0 };
  }

  #progressed(kind: Activity['kind'], round: number, { done, total }: JobProgress): void {
    this.#activity = { kind, round, done, total };
  }
}
