import type { BlobStore } from '@consilium/log';
import { ModelError, parseTask } from '@consilium/model';
import type { UpdateBody } from '@consilium/records';
import { type Founding, type MemberState, StudyError, type StudyState } from '@consilium/study';
import { type RandomBytes, WeightsError } from '@consilium/weights';
import type { Author } from './author.ts';
import { contribute, type RoundContribution } from './contribute.ts';
import type { LocalFinding } from './local-finding.ts';
import type { Logger } from './logger.ts';
import { modelHere } from './model-here.ts';
import { privateTraining, reservationFor } from './reservation.ts';
import type { Trainer } from './trainer.ts';
import type { CohortSource, JobProgress } from './training-messages.ts';
import type { TrainingStore } from './training-store.ts';

interface RoundTrainingComponents {
  readonly author: Author;
  readonly blobs: Pick<BlobStore, 'put'>;
  readonly trainer: Pick<Trainer, 'check' | 'train'>;
  readonly trainingStore: TrainingStore;
  readonly random: RandomBytes;
  readonly logger: Logger;
  /** Tells the members that the log has grown; its failure is nobody's loss. */
  readonly announce: (signal: AbortSignal) => Promise<unknown>;
}

interface RoundTrainingInit {
  readonly cohort: CohortSource | null;
  readonly payloadBits: 8 | 16 | 32;
}

/** A state, and what this site is in it. */
export interface Here {
  readonly state: StudyState;
  readonly self: MemberState;
}

interface TrainOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: JobProgress) => void;
}

/** Private trainings in a row that may fail: each has spent its reservation, and trying for ever would spend all. */
const failuresBeforeHalt = 3;

/** Local findings that are shown at once. */
const mostFindings = 8;

/**
 * One trainer's rounds, in the only order in which privacy is kept: check the engine → reserve → read patients and train → payload and training state on disk → update.
 * Every arrow is a sync of the disk. What was signed stays, whatever happens after it.
 */
export class RoundTraining {
  readonly #components: RoundTrainingComponents;
  readonly #init: RoundTrainingInit;
  /** Private trainings that failed since the last success. */
  #failures = 0;
  /** Since the last success. */
  #findings: readonly LocalFinding[] = [];

  constructor(components: RoundTrainingComponents, init: RoundTrainingInit) {
    this.#components = components;
    this.#init = init;
  }

  /** Whether private training has failed so often that nothing more is read before the node is started again. */
  get isHalted(): boolean {
    return this.#failures >= failuresBeforeHalt;
  }

  /** Rounds that were abandoned since the last update was signed, the last ones at the end. */
  get findings(): readonly LocalFinding[] {
    return this.#findings;
  }

  /** Whether this round was abandoned when it was trained from this state: it would be again. */
  isAbandoned(round: number, state: string): boolean {
    return this.#findings.some((finding) => finding.round === round && finding.state === state);
  }

  /**
   * Trains a round and signs its update. Where values are not finite the round is abandoned with a finding instead, and nothing is released; under privacy
   * that is decided by what no patient has a part in, and before a reservation wherever the engine or the weights are the reason.
   *
   * @throws {StudyError} `BAD_MANIFEST` when the site has no patients to train on. @throws {PrivacyError} `BUDGET_EXHAUSTED`, before a patient is read.
   * @throws whatever training and the disk throw; a reservation that was signed is spent then.
   */
  async train(
    round: number,
    here: Here,
    budget: Founding['budget'],
    options: TrainOptions,
  ): Promise<void> {
    try {
      await this.#trainSoundly(round, here, budget, options);
    } catch (error) {
      if (options.signal.aborted || !isNonFinite(error)) throw error;
      this.#abandon(round, here.state, error);
    }
  }

  #abandon(round: number, { digest: state }: StudyState, { message }: Error): void {
    const finding = { code: 'NON_FINITE', round, state, message } as const;
    this.#findings = [...this.#findings, finding].slice(-mostFindings);
    this.#components.logger.error(
      { code: 'NON_FINITE', round, state },
      `the round is abandoned, nothing of it was released: ${message}`,
    );
  }

  async #trainSoundly(
    round: number,
    here: Here,
    budget: Founding['budget'],
    options: TrainOptions,
  ): Promise<void> {
    const { author, blobs, trainingStore, logger, announce } = this.#components;
    const { heads, digest: base } = here.state;
    const cohort = this.#cohort();
    await this.#check(here, options.signal);
    const privacy = await this.#reserve(round, here, budget, options.signal);
    const { payload, training, steps } = await this.#contribute(round, here, cohort, options);
    const digest = await blobs.put(payload);
    await trainingStore.save(round, training);
    const body = {
      round,
      base: Buffer.from(base, 'hex'),
      payload: { digest: Buffer.from(digest, 'hex'), bytes: payload.length },
      steps,
      privacy,
    };
    await author.say({ kind: 'update', body }, heads);
    this.#failures = 0;
    this.#findings = [];
    await trainingStore.forget(round - 1);
    logger.info({ round, payload: digest, bytes: payload.length }, 'update signed');
    await announce(options.signal);
  }

  #cohort(): CohortSource {
    if (this.#init.cohort !== null) return this.#init.cohort;
    throw new StudyError(
      'BAD_MANIFEST',
      'the roster has this site as a trainer, its configuration names no patients to train on',
    );
  }

  /** Before anything is spent. */
  async #check({ state, self }: Here, signal: AbortSignal): Promise<void> {
    const { trainer, trainingStore } = this.#components;
    const { task, weights } = await modelHere(state, self.site, trainingStore);
    await trainer.check({ task, weights }, { signal });
  }

  async #reserve(
    round: number,
    { state, self }: Here,
    budget: Founding['budget'],
    signal: AbortSignal,
  ): Promise<UpdateBody['privacy']> {
    const { author, logger, announce } = this.#components;
    const policy = state.manifest.privacy;
    if (policy.profile === 'off' || budget === null) return { profile: 'off' };
    const steps = parseTask(state.manifest.task).training.stepsPerRound;
    const body = reservationFor(state, policy, budget, self.site, round, steps);
    const reserve = await author.say({ kind: 'reserve', body }, state.heads);
    logger.info({ round, epsilon: body.epsilon, cap: policy.epsilon }, 'privacy reserved');
    await announce(signal);
    return { profile: policy.profile, reserve };
  }

  async #contribute(
    round: number,
    { state, self }: Here,
    cohort: CohortSource,
    options: TrainOptions,
  ): Promise<RoundContribution> {
    const { trainer, trainingStore, random, logger } = this.#components;
    const { signal, onProgress } = options;
    const policy = state.manifest.privacy;
    const privacy = policy.profile === 'off' ? null : privateTraining(policy, self.patients);
    try {
      return await contribute(
        { trainer, trainingStore, random, site: self.site, onProgress },
        { state, cohort, payloadBits: this.#init.payloadBits, privacy, signal },
      );
    } catch (error) {
      if (privacy !== null && !signal.aborted) this.#failures++;
      if (this.isHalted) {
        logger.error(
          { round, failures: this.#failures },
          'training has failed too often: each time its reservation was spent; nothing more is read before the node is started again',
        );
      }
      throw error;
    }
  }
}

function isNonFinite(error: unknown): error is ModelError | WeightsError {
  return (
    (error instanceof ModelError || error instanceof WeightsError) && error.code === 'NON_FINITE'
  );
}
