import { createHash } from 'node:crypto';
import { type LogStore, openLogStore } from '@consilium/log';
import { initialWeights, type Seeded, seeded, smallTask } from '@consilium/model';
import {
  foundStudy,
  type Logger,
  OwnLog,
  Site,
  type SiteComponents,
  type TrainingState,
  type TrainingStore,
} from '@consilium/node';
import {
  approveRosterChange,
  keyFromSeed,
  logPlaceOf,
  openRecord,
  type SiteKey,
  signRecord,
} from '@consilium/records';
import type { StudyState } from '@consilium/study';
import { MemoryLevel } from 'memory-level';
import { cheapTrainer, refusesFirstWeights } from './cheap-trainer.ts';
import { MemoryBlobs } from './memory-blobs.ts';
import { type Faults, VirtualNetwork, wait } from './virtual-network.ts';
import { type VirtualClock, VirtualTime } from './virtual-time.ts';

export interface SimulationInit {
  readonly seed: number;
  /** Trainers; a validator and an observer come on top. */
  readonly trainers: number;
  readonly rounds: number;
  readonly quorum: number;
  readonly faults: Faults;
  /** Share of training jobs whose process is lost. */
  readonly lostShare: number;
  /** A trainer on which the model of the first round gives values that are not finite. */
  readonly unsound?: number;
  /** A trainer that the others remove, at this virtual time, with what site 0 has of its log by then. */
  readonly removed?: { readonly site: number; readonly atMs: number };
}

/** How a run ended. */
export interface Simulated {
  /** The last state of every site that is there at the end, the validator's and the observer's last. */
  readonly states: readonly StudyState[];
  readonly logs: readonly LogStore[];
  /** Every line that any site logged, with its virtual time. */
  readonly trace: readonly string[];
  readonly elapsedMs: number;
}

/** The least network that a task allows: what is tested here is who says what when. */
const task = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 1, channels: [4, 4], groupChannels: 4 },
  training: { ...smallTask.training, stepsPerRound: 1 },
};
const cohort = { kind: 'phantom', profile: 'hospital-a', patients: 1, seed: 0 } as const;
/** Longest run; far beyond what any of them takes. */
const limitMs = 4 * 3_600_000;

/** A whole consortium in one process: the node's own `Site`, in virtual time, on real logs of real records. */
export async function simulate(init: SimulationInit): Promise<Simulated> {
  const count = init.trainers + 2;
  const time = new VirtualTime();
  const trace: string[] = [];
  const keys = Array.from({ length: count }, (_, i) => keyFromSeed(sha256(`simulated site ${i}`)));
  const { manifest, payload } = foundStudy(
    {
      name: 'simulated study',
      task,
      start: initialWeights(task.network, init.seed),
      privacy: null,
      rounds: { count: init.rounds, quorum: init.quorum, deadlineSeconds: 90 },
      roster: keys.map(({ id }, i) => ({
        site: id,
        name: `site-${i}`,
        role: i < init.trainers ? 'trainer' : i === init.trainers ? 'validator' : 'observer',
        patients: i < init.trainers ? 5 * (1 + (i % 4)) : 0,
        addresses: [],
      })),
    },
    sha256,
  );
  const founder = keys[0] as SiteKey;
  const founding = signRecord(founder, {
    kind: 'manifest',
    version: 1,
    study: null,
    author: founder.id,
    index: 0,
    previous: null,
    heads: [],
    body: manifest,
  });
  const stations = await Promise.all(
    keys.map(async () => {
      const log = await openLogStore(new MemoryLevel<string, string>(), logPlaceOf);
      await log.append(founding);
      return { log, blobs: new MemoryBlobs() };
    }),
  );
  await stations[0]?.blobs.put(payload);
  const network = new VirtualNetwork(time, seeded('network', init.seed), init.faults, stations);

  const sites: (Site | null)[] = keys.map(() => null);
  for (const [i, key] of keys.entries()) {
    const station = stations[i] as (typeof stations)[number];
    const random = seeded('site', init.seed, i);
    const trainingStore = memoryTrainingStore();
    const unsound = i === init.unsound ? { check: refusesFirstWeights() } : {};
    const note = (_: object, message: string): void => {
      trace.push(`${time.now().toFixed(3)} site-${i} ${message} ${JSON.stringify(_)}`);
    };
    const logger: Logger = { debug: () => undefined, info: note, warn: note, error: note };
    /** One life, until it crashes. */
    const live = async (clock: VirtualClock, signal: AbortSignal): Promise<void> => {
      const site = new Site(
        {
          key,
          study: openRecord(founding).id,
          ...station,
          network: network.of(i, clock),
          trainer: { ...cheapTrainer(clock, random, init.lostShare), ...unsound },
          trainingStore,
          clock,
          random: bytesOf(random),
          ownLog: new OwnLog(key.id, station.log, { sizeBeforeDamage: 0, isRestoring: false }),
          logger,
          ...(i === 0 && init.removed !== undefined
            ? { outbox: removing(keys, init.removed, openRecord(founding).id, station.log, clock) }
            : {}),
        },
        {
          train: i < init.trainers ? cohort : null,
          test: i <= init.trainers ? cohort : null,
          payloadBits: 16,
          everyRounds: 2,
        },
      );
      sites[i] = site;
      await site.run(signal);
    };
    time.actor(async (clock) => {
      await wait(clock, 1 + i);
      const crashes = init.faults.crashes
        .filter(({ site }) => site === i)
        .sort((a, b) => a.from - b.from);
      for (const { from, to } of [...crashes, { from: Infinity, to: Infinity }]) {
        const controller = new AbortController();
        if (from < Infinity)
          time.after(from - clock.now(), () => controller.abort(new Error('killed')));
        await live(clock, controller.signal);
        sites[i] = null;
        await wait(clock, to - clock.now());
      }
    });
  }

  const goneForGood = new Set(
    init.faults.crashes.filter(({ to }) => to === Infinity).map(({ site }) => site),
  );
  const there = [...keys.keys()].filter((i) => !goneForGood.has(i) && i !== init.removed?.site);
  const isOver = (): boolean => {
    const present = there.map((i) => sites[i] ?? null);
    const digests = new Set(present.map((site) => site?.state?.digest ?? null));
    const areDone = present.every((site) => {
      const state = site?.state;
      const isEvaluated = state?.evaluations.some((each) => each.state === state.digest);
      return isEvaluated && ['finished', 'watching'].includes(site?.activity.kind ?? '');
    });
    const sizes = new Set(
      there.map((i) => JSON.stringify(stations[i]?.log.heads().map(({ size }) => size))),
    );
    const areComplete = present.every((site) =>
      there
        .filter((i) => i < init.trainers)
        .every((i) => site?.state?.members[i]?.lastRound === init.rounds),
    );
    return areDone && areComplete && sizes.size === 1 && digests.size === 1;
  };
  await time.run(isOver, limitMs);
  return {
    states: there.map((i) => sites[i]?.state as StudyState),
    logs: there.map((i) => (stations[i] as (typeof stations)[number]).log),
    trace,
    elapsedMs: time.now(),
  };
}

/** What site 0's operator lays out: the removal of a site, which every trainer has approved, once its time has come. */
function removing(
  keys: readonly SiteKey[],
  { site, atMs }: NonNullable<SimulationInit['removed']>,
  study: Uint8Array,
  log: LogStore,
  clock: VirtualClock,
): NonNullable<SiteComponents['outbox']> {
  const { id } = keys[site] as SiteKey;
  let isSaid = false;
  return {
    say: async (author, _, heads) => {
      if (isSaid || clock.now() < atMs) return;
      isSaid = true;
      const until = [{ key: id, at: log.head(id).size }];
      const change = { kind: 'remove', site: id, until } as const;
      const proposed = { number: 1, previous: study, change };
      const approvals = keys
        .filter((key) => key.id !== id)
        .map((key) => approveRosterChange(key, study, proposed))
        .sort((a, b) => (a.site < b.site ? -1 : 1));
      await author.say({ kind: 'roster-change', body: { ...proposed, approvals } }, heads);
    },
  };
}

function memoryTrainingStore(): TrainingStore {
  const kept = new Map<number, TrainingState>();
  return {
    load: async (round) => kept.get(round) ?? null,
    save: async (round, state) => {
      kept.set(round, state);
    },
    forget: async (round) => {
      for (const each of kept.keys()) if (each < round) kept.delete(each);
    },
  };
}

function bytesOf(random: Seeded): (count: number) => Uint8Array {
  return (count) => {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i += 4) {
      const word = random.uint32();
      for (let j = i; j < Math.min(i + 4, count); j++) bytes[j] = word >>> (8 * (j - i));
    }
    return bytes;
  };
}

function sha256(data: Uint8Array | string): Uint8Array {
  return createHash('sha256').update(data).digest();
}
