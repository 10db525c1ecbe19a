import { setImmediate as turn } from 'node:timers/promises';

/** A clock of the virtual time; has what the node's `Clock` has. */
export interface VirtualClock {
  now(): number;
  after(delayMs: number, callback: () => void): () => void;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** An actor whose code runs between two of its own waits. */
interface Actor {
  pending: number;
}

/**
 * Time that passes from event to event, and not before every actor waits for it again. So one thing happens after the other, in an order that
 * the events alone decide, whatever the machine does: the same events give the same run.
 */
export class VirtualTime {
  #now = 0;
  #order = 0;
  /** In the order of time. */
  #events: Event[] = [];
  readonly #actors = new Set<Actor>();
  #tasks = 0;
  #failure: unknown;

  now(): number {
    return this.#now;
  }

  /** Calls `callback` when `delayMs` have passed; events of one moment come in the order in which they were asked for. */
  after(delayMs: number, callback: () => void): () => void {
    const event: Event = { at: this.#now + delayMs, order: this.#order++, callback };
    const place = this.#events.findIndex(({ at }) => at > event.at);
    this.#events.splice(place === -1 ? this.#events.length : place, 0, event);
    return () => {
      const index = this.#events.indexOf(event);
      if (index !== -1) this.#events.splice(index, 1);
    };
  }

  /** Starts an actor, which must wait by its own clock alone. Its failure fails the run. */
  actor(body: (clock: VirtualClock) => Promise<void>): void {
    const actor: Actor = { pending: 0 };
    this.#actors.add(actor);
    const clock: VirtualClock = {
      now: () => this.#now,
      after: (delayMs, callback) => {
        actor.pending += 1;
        let isOpen = true;
        const close = (): void => {
          if (isOpen) actor.pending -= 1;
          isOpen = false;
        };
        const cancel = this.after(delayMs, () => {
          close();
          callback();
        });
        return () => {
          close();
          cancel();
        };
      },
    };
    body(clock)
      .catch((error) => {
        this.#failure ??= error;
      })
      .finally(() => this.#actors.delete(actor));
  }

  /** Work that time waits for. Its failure fails the run. */
  task(work: () => Promise<unknown>): void {
    this.#tasks += 1;
    work()
      .catch((error) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#tasks -= 1;
      });
  }

  /** Lets time pass until `isOver`. @throws what an actor or a task threw, and when `limitMs` have passed or nothing is left to happen. */
  async run(isOver: () => boolean, limitMs: number): Promise<void> {
    for (;;) {
      await this.#rest();
      if (this.#failure !== undefined) throw this.#failure;
      if (isOver()) return;
      const event = this.#events.shift();
      if (event === undefined) throw new Error('nothing is left to happen');
      if (event.at > limitMs) throw new Error(`not over after ${limitMs} ms of virtual time`);
      this.#now = event.at;
      event.callback();
    }
  }

  /**
   * Until every actor waits for time to pass. What an actor does between two waits runs in microtasks, its stores being in memory: one turn of
   * the event loop sees it through, also where the actor waits for one thing while it does another.
   */
  async #rest(): Promise<void> {
    do await turn();
    while (this.#tasks > 0 || [...this.#actors].some(({ pending }) => pending === 0));
  }
}
