import type { Budget } from '@consilium/privacy';
import type { PrivatePolicy, ReserveBody, UpdateBody } from '@consilium/records';
import type { FindingCode } from './finding.ts';

/** What one site has spent of each of its patients' privacy, by the records alone. */
export interface Spending {
  /** Private steps that were reserved, whether an update followed or not. */
  readonly steps: number;
  /** ε of these steps at the study's δ, recomputed. */
  readonly epsilon: number;
  /** Reservations without an update so far. */
  readonly unused: number;
  /** Whether the site cannot afford what it reserved last once more. */
  readonly isExhausted: boolean;
}

/** A broken rule, before it is known whose record broke it. */
export interface Fault {
  readonly code: FindingCode;
  readonly message: string;
}

interface Reservation {
  readonly body: ReserveBody;
  readonly isSound: boolean;
  isUsed: boolean;
}

/**
 * Follows one site's reservations and the updates that they pay for, in the order of its log.
 *
 * Every reservation is spent, an unsound one too. It pays for one update, of its own round and its own steps, if what it says is the study's policy, the ε
 * that it claims is what the steps so far come to, and the cap holds.
 */
export class SiteLedger {
  readonly #policy: PrivatePolicy;
  readonly #budget: Budget;
  readonly #reservations = new Map<number, Reservation>();
  #steps = 0;
  #lastSteps = 0;
  /** Reservations in the logs of earlier keys that no update followed. */
  #unusedBefore = 0;

  constructor(policy: PrivatePolicy, budget: Budget) {
    this.#policy = policy;
    this.#budget = budget;
  }

  get spending(): Spending {
    return {
      steps: this.#steps,
      epsilon: this.#budget.epsilonAfter(this.#steps),
      unused: this.#unusedBefore + this.#unused,
      isExhausted: !this.#budget.affords(this.#steps, this.#lastSteps),
    };
  }

  get #unused(): number {
    return [...this.#reservations.values()].filter(({ isUsed }) => !isUsed).length;
  }

  /**
   * Goes on with the log of the site's next key. What was reserved stays spent, and no update in another log uses it; `spentSteps` is what is known from
   * elsewhere to have been reserved by then, at least.
   */
  nextLog(spentSteps: number): void {
    this.#unusedBefore += this.#unused;
    this.#reservations.clear();
    this.#steps = Math.max(this.#steps, spentSteps);
  }

  /** Takes the reservation at `index` of the log; says what is wrong with it. */
  reserve(index: number, body: ReserveBody): Fault | null {
    this.#steps += body.steps;
    this.#lastSteps = body.steps;
    const fault = this.#faultOf(body);
    this.#reservations.set(index, { body, isSound: fault === null, isUsed: false });
    return fault;
  }

  #faultOf({ sampleRate, noiseMultiplier, epsilon }: ReserveBody): Fault | null {
    const policy = this.#policy;
    if (sampleRate !== policy.sampleRate || noiseMultiplier !== policy.noiseMultiplier) {
      const message = `reserves at q ${sampleRate}, σ ${noiseMultiplier}; the manifest says q ${policy.sampleRate}, σ ${policy.noiseMultiplier}`;
      return { code: 'PRIVACY_CLAIM', message };
    }
    const spent = this.#budget.epsilonAfter(this.#steps);
    if (Math.abs(epsilon - spent) > claimTolerance * Math.max(1, spent)) {
      const message = `claims ε ${epsilon}; its ${this.#steps} steps come to ${spent}`;
      return { code: 'PRIVACY_CLAIM', message };
    }
    if (spent > this.#budget.cap) {
      const message = `${this.#steps} steps come to ε ${spent}, the cap is ${this.#budget.cap}`;
      return { code: 'OVER_BUDGET', message };
    }
    return null;
  }

  /** Lets an update use its reservation; says why it may not. */
  pay({ round, steps, privacy }: UpdateBody): Fault | null {
    if (privacy.profile !== this.#policy.profile || !('reserve' in privacy)) {
      const message = `profile ${privacy.profile}, the manifest says ${this.#policy.profile}`;
      return { code: 'PRIVACY_PROFILE', message };
    }
    const reservation = this.#reservations.get(privacy.reserve);
    if (reservation === undefined) {
      return { code: 'NOT_RESERVED', message: `record ${privacy.reserve} is no reservation` };
    }
    const { body, isSound, isUsed } = reservation;
    if (isUsed || body.round !== round || body.steps !== steps) {
      const message = `reservation ${privacy.reserve} is for ${body.steps} steps of round ${body.round}${isUsed ? ', and used' : ''}; the update took ${steps} in round ${round}`;
      return { code: 'NOT_RESERVED', message };
    }
    if (!isSound) {
      return { code: 'NOT_RESERVED', message: `reservation ${privacy.reserve} breaks a rule` };
    }
    reservation.isUsed = true;
    return null;
  }
}

/** How far a claimed ε may be from the recomputed one, relative where above 1: logarithms differ in their last digits. */
const claimTolerance = 1e-6;
