import type { BlobStore, LogStore } from '@consilium/log';
import type { Clock, Network } from '@consilium/network';
import type { SiteKey } from '@consilium/records';
import { isRemoved, type MemberState, StudyError, type StudyState } from '@consilium/study';
import type { RandomBytes } from '@consilium/weights';
import type { Activity } from './activity.ts';
import { attempt } from './attempt.ts';
import { Author } from './author.ts';
import type { LocalFinding } from './local-finding.ts';
import type { Logger } from './logger.ts';
import { modelHere } from './model-here.ts';
import type { Outbox } from './outbox.ts';
import type { OwnLog } from './own-log.ts';
import { type Action, nextAction } from './pacing.ts';
import { PayloadFetches } from './payload-fetches.ts';
import { RecordIntake } from './record-intake.ts';
import { evaluationBody } from './recorded-evaluation.ts';
import { RosterDuties } from './roster-duties.ts';
import { type Here, RoundTraining } from './round-training.ts';
import { memberOfKey } from './standing.ts';
import type { Trainer } from './trainer.ts';
import type { CohortSource, JobProgress } from './training-messages.ts';
import type { TrainingStore } from './training-store.ts';
import { Wakeup } from './wakeup.ts';
import type { Accuser } from './witnessing/accuser.ts';

export interface SiteComponents {
  readonly key: SiteKey;
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly log: LogStore;
  readonly blobs: Pick<BlobStore, 'get' | 'has' | 'put'>;
  readonly network: Pick<Network, 'announce' | 'fetchBlob' | 'sync'>;
  readonly trainer: Pick<Trainer, 'check' | 'evaluate' | 'train'>;
  readonly trainingStore: TrainingStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly ownLog: Pick<OwnLog, 'check' | 'isRecovering' | 'isRestoring' | 'settle'>;
  readonly logger: Logger;
  /** What feeds the fold. @default one of its own */
  readonly intake?: RecordIntake;
  /** What the operator wants said. @default nothing */
  readonly outbox?: Pick<Outbox, 'say'>;
  /** What is proven against others. @default nothing */
  readonly accuser?: Accuser;
  /** The key that this one is to hand on to; null for none. @default none */
  readonly nextKey?: SiteKey | null;
}

export interface SiteInit {
  readonly train: CohortSource | null;
  readonly test: CohortSource | null;
  readonly payloadBits: 8 | 16 | 32;
  readonly everyRounds: number;
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
  readonly #intake: RecordIntake;
  readonly #author: Author;
  readonly #wakeup = new Wakeup();
  readonly #duties: RosterDuties;
  readonly #payloads: PayloadFetches;
  readonly #training: RoundTraining;
  #state: StudyState | null = null;
  /** When the state became what it is. */
  #stateSince: number;
  #activity: Activity = { kind: 'starting', round: 0, done: 0, total: 0 };
  #waitingSince: number;

  constructor(components: SiteComponents, init: SiteInit) {
    this.#components = components;
    this.#init = init;
    const { key, study, log } = components;
    this.#intake = components.intake ?? new RecordIntake(log, study);
    this.#author = new Author(key, study, log);
    const { outbox = null, nextKey = null } = components;
    this.#duties = new RosterDuties({ ...components, author: this.#author, outbox, nextKey });
    this.#training = new RoundTraining(
      {
        ...components,
        author: this.#author,
        announce: (signal) => this.#tried('announce', signal, () => components.network.announce()),
      },
      { cohort: init.train, payloadBits: init.payloadBits },
    );
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

  /** What is wrong with this site's own computing; see {@link RoundTraining.findings}. */
  get findings(): readonly LocalFinding[] {
    return this.#training.findings;
  }

  /** Runs until `signal` aborts; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#components;
    const unsubscribe = log.onAppend(() => this.#wakeup.wake());
    const ended = new AbortController();
    try {
      // What the disk has is shown at once, whoever can be reached.
      await this.#intake.take();
      await this.#replay();
      await this.#settle(signal);
      const until = AbortSignal.any([signal, ended.signal]);
      await Promise.all([this.#turns(until), this.#sayLaidOut(until)]);
    } finally {
      ended.abort();
      unsubscribe();
    }
  }

  /** Beside the turns: a change of the roster does not wait for a training to end, and neither does a proof against a member. */
  async #sayLaidOut(signal: AbortSignal): Promise<void> {
    const { outbox, accuser, key, ownLog, clock } = this.#components;
    const pause = new Wakeup();
    while ((outbox ?? accuser) !== undefined && !signal.aborted) {
      const state = this.#state;
      const self = state === null ? undefined : memberOfKey(state, key.id);
      if (state !== null && !ownLog.isRecovering && self !== undefined) {
        const { fold } = this.#intake;
        await this.#tried('outbox', signal, () => this.#duties.sayLaidOut(fold, state));
        await this.#tried('accusation', signal, () => this.#accuse(state, self, signal));
      }
      await pause.wait(clock, idleMs, signal);
    }
  }

  async #accuse(state: StudyState, self: MemberState, signal: AbortSignal): Promise<void> {
    const { accuser, network } = this.#components;
    if (accuser === undefined || !accuser.hasWork(this.#intake.fold)) return;
    await this.#intake.take();
    if (await accuser.say(this.#author, this.#intake.fold, state, self)) {
      await this.#tried('announce', signal, () => network.announce());
    }
  }

  /**
   * A disk that was restored from an old copy lacks the site's own last records. Nothing is read or signed before another member has been asked for them,
   * however long that takes: without one, nobody would hear it anyway. Where the operator restores from the members, all of them are asked.
   */
  async #settle(signal: AbortSignal): Promise<void> {
    const { clock, network, ownLog, logger } = this.#components;
    const speeches = this.#intake.roster?.speeches;
    const others = (speeches?.filter(({ member }) => !isRemoved(member)).length ?? 2) - 1;
    this.#show('connecting', 0);
    for (let tries = 0; others > 0 && !signal.aborted; tries++) {
      let answered = 0;
      await this.#tried('sync', signal, async () => {
        const { peers, failed } = await network.sync(signal);
        answered = peers - failed;
      });
      ownLog.check();
      // Some members may be gone for good: after half a minute those that answered are all there are.
      const wanted = ownLog.isRestoring && tries < 60 ? others : 1;
      if (answered >= wanted) break;
      if (tries % 60 === 20) {
        logger.warn(
          {},
          'no member can be reached; nothing is signed before one was asked for this site’s own records',
        );
      }
      await this.#wakeup.wait(clock, 500, signal);
    }
    if (!signal.aborted) ownLog.settle();
  }

  async #turns(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#turn(signal);
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { clock, key, ownLog } = this.#components;
    ownLog.check();
    await this.#intake.take();
    const state = await this.#replay();
    this.#payloads.start(state?.missing ?? this.#initialWeights(), signal);
    if (state === null) {
      await this.#wakeup.wait(clock, retryMs, signal);
      return;
    }
    if (ownLog.isRecovering) {
      this.#show('recovering', 0);
      await this.#wakeup.wait(clock, retryMs, signal);
      return;
    }
    const self = memberOfKey(state, key.id);
    if (self === undefined) {
      // Not added yet, removed, or handed on to another key: whatever this one said would not count.
      this.#show('watching', state.rounds.length);
      await this.#wakeup.wait(clock, idleMs, signal);
      return;
    }
    if (!(await this.#tried('roster', signal, () => this.#duties.repeatChanges(state, self)))) {
      await this.#pause(signal);
      return;
    }
    if (await this.#duties.handOn(state, self)) {
      await this.#tried('announce', signal, () => this.#components.network.announce());
      return;
    }
    const own = state.evaluations.filter(({ site }) => site === self.site);
    const action = nextAction(state, self.site, clock.now() - this.#waitingSince, {
      everyRounds: this.#init.everyRounds,
      lastRound: Math.max(0, ...own.map(({ round }) => round)),
      isStateDone: own.some(({ state: evaluated }) => evaluated === state.digest),
      hasPatients: this.#init.test !== null && self.role !== 'observer',
      unchangedMs: clock.now() - this.#stateSince,
    });
    // A payload of the round before is on its way: better to train on all of it, within the deadline. An older one is not waited for again.
    const isOnItsWay =
      'round' in action && state.missing.some(({ round }) => round >= action.round - 1);
    const canWait = clock.now() - this.#waitingSince < state.manifest.rounds.deadlineSeconds * 1000;
    if (isOnItsWay && canWait) await this.#wakeup.wait(clock, idleMs, signal);
    else await this.#act(action, { state, self }, signal);
  }

  async #act(action: Action, here: Here, signal: AbortSignal): Promise<void> {
    const { state } = here;
    switch (action.kind) {
      case 'train':
        if (this.#training.isHalted) {
          this.#show('halted', action.round);
          break;
        }
        if (this.#training.isAbandoned(action.round, state.digest)) {
          this.#show('abandoned', action.round);
          break;
        }
        this.#show('training', action.round);
        if (!(await this.#tried('train', signal, () => this.#train(action.round, here, signal))))
          await this.#pause(signal);
        this.#waitingSince = this.#components.clock.now();
        return;
      case 'evaluate':
        this.#show('evaluating', action.round);
        if (
          !(await this.#tried('evaluate', signal, () => this.#evaluate(action.round, here, signal)))
        )
          await this.#pause(signal);
        return;
      case 'wait':
        this.#show('waiting', action.round);
        break;
      case 'finished':
        this.#show('finished', state.manifest.rounds.count);
        break;
      case 'exhausted':
        this.#show('exhausted', state.rounds.length);
        break;
      case 'watch':
        this.#show('watching', state.rounds.length);
        break;
    }
    await this.#wakeup.wait(this.#components.clock, idleMs, signal);
  }

  #train(round: number, here: Here, signal: AbortSignal): Promise<void> {
    const budget = this.#intake.fold.founding()?.budget ?? null;
    return this.#training.train(round, here, budget, {
      signal,
      onProgress: (progress) => this.#progressed('training', round, progress),
    });
  }

  async #evaluate(round: number, { state, self }: Here, signal: AbortSignal): Promise<void> {
    const { trainer, trainingStore, network, logger } = this.#components;
    if (this.#init.test === null) return;
    const { task, weights } = await modelHere(state, self.site, trainingStore);
    const { summary } = await trainer.evaluate(
      { task, weights, cohort: this.#init.test },
      { signal, onProgress: (progress) => this.#progressed('evaluating', round, progress) },
    );
    const body = evaluationBody(round, state.digest, summary);
    await this.#author.say({ kind: 'evaluation', body }, state.heads);
    logger.info({ round, state: state.digest }, 'evaluation signed');
    await this.#tried('announce', signal, () => network.announce());
  }

  async #replay(): Promise<StudyState | null> {
    try {
      const state = await this.#intake.fold.state(this.#components.blobs);
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
    const founding = this.#intake.fold.founding();
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
