import type { LogStore } from '@consilium/log';
import type { Seeded } from '@consilium/model';
import { NetworkError } from '@consilium/network';
import type { MemoryBlobs } from './memory-blobs.ts';
import type { VirtualClock, VirtualTime } from './virtual-time.ts';

/** What goes wrong between the sites; times are virtual milliseconds. */
export interface Faults {
  /** Share of announcements and of transfers that get lost. */
  readonly lossShare: number;
  /** Longest time that a message takes. */
  readonly delayMs: number;
  /** Share of payloads that nobody can have before this long after they were first asked for. */
  readonly lateShare: number;
  readonly lateMs: number;
  /** Sites with these numbers hear nobody but each other in this time. */
  readonly partitions: readonly { from: number; to: number; sites: ReadonlySet<number> }[];
  /** Sites that are down in this time. */
  readonly crashes: readonly { site: number; from: number; to: number }[];
}

export interface Station {
  readonly log: LogStore;
  readonly blobs: MemoryBlobs;
}

/** How often a site asks a random other one, whatever it heard. */
const antiEntropyMs = 15_000;

/** All sites' connections: logs are exchanged directly, after delays, with losses, and not across a cut. */
export class VirtualNetwork {
  readonly #time: VirtualTime;
  readonly #random: Seeded;
  readonly #faults: Faults;
  readonly #stations: readonly Station[];
  readonly #askedFirst = new Map<string, { at: number; isLate: boolean }>();

  constructor(time: VirtualTime, random: Seeded, faults: Faults, stations: readonly Station[]) {
    this.#time = time;
    this.#random = random;
    this.#faults = faults;
    this.#stations = stations;
    for (const site of stations.keys()) this.#ask(site);
  }

  isDown(site: number): boolean {
    const now = this.#time.now();
    return this.#faults.crashes.some(
      (crash) => crash.site === site && crash.from <= now && now < crash.to,
    );
  }

  /** The network as one site's node sees it. */
  of(
    site: number,
    clock: VirtualClock,
  ): {
    announce(): Promise<void>;
    sync(signal?: AbortSignal): Promise<{ peers: number; failed: number }>;
    fetchBlob(digest: string, bytes: number, options?: { signal?: AbortSignal }): Promise<void>;
  } {
    const pause = (signal?: AbortSignal): Promise<void> =>
      wait(clock, this.#random.between(1, this.#faults.delayMs), signal);
    return {
      announce: async () => {
        for (const other of this.#stations.keys()) {
          if (other === site || this.#isLost()) continue;
          this.#time.after(this.#random.between(1, this.#faults.delayMs), () =>
            this.#pull(other, site),
          );
        }
      },
      sync: async (signal) => {
        await pause(signal);
        const others = [...this.#stations.keys()].filter((other) => other !== site);
        const asked = others.filter((other) => this.#canHear(site, other));
        for (const other of asked) await this.#copy(site, other);
        return { peers: others.length, failed: others.length - asked.length };
      },
      fetchBlob: async (digest, bytes, options) => {
        await pause(options?.signal);
        const first = this.#askedFirst.get(digest) ?? {
          at: this.#time.now(),
          isLate: this.#random.uniform() < this.#faults.lateShare,
        };
        this.#askedFirst.set(digest, first);
        const isHeldBack = first.isLate && this.#time.now() < first.at + this.#faults.lateMs;
        for (const [other, { blobs }] of this.#stations.entries()) {
          const blob = await blobs.get(digest);
          if (blob === undefined || isHeldBack || this.#isLost() || !this.#canHear(site, other))
            continue;
          if (blob.length !== bytes)
            throw new NetworkError('BLOB_MISMATCH', `${blob.length} bytes, wanted ${bytes}`);
          await (this.#stations[site] as Station).blobs.put(blob);
          return;
        }
        throw new NetworkError('BLOB_UNAVAILABLE', `nobody that can be heard has ${digest}`);
      },
    };
  }

  #ask(site: number): void {
    this.#time.after(antiEntropyMs * this.#random.between(0.5, 1.5), () => {
      this.#pull(site, this.#random.below(this.#stations.length));
      this.#ask(site);
    });
  }

  /** `to` gets what it lacks of what `from` has, if the two can hear each other. */
  #pull(to: number, from: number): void {
    if (this.#canHear(to, from)) this.#time.task(() => this.#copy(to, from));
  }

  async #copy(to: number, from: number): Promise<void> {
    const [target, source] = [this.#stations[to] as Station, this.#stations[from] as Station];
    for (const { author, size } of source.log.heads()) {
      const start = target.log.head(author).size;
      for (const entry of await source.log.read(author, start, {
        maxEntries: size,
        maxBytes: 2 ** 24,
      }))
        await target.log.append(entry);
    }
  }

  #canHear(one: number, other: number): boolean {
    if (one === other || this.isDown(one) || this.isDown(other)) return false;
    const now = this.#time.now();
    return this.#faults.partitions.every(
      ({ from, to, sites }) => now < from || now >= to || sites.has(one) === sites.has(other),
    );
  }

  #isLost(): boolean {
    return this.#random.uniform() < this.#faults.lossShare;
  }
}

/** @throws the signal's reason when it aborts first. */
export function wait(clock: VirtualClock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
