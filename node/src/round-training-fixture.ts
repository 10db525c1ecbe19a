import { createHash } from 'node:crypto';
import { openLogStore } from '@consilium/log';
import { initialWeights, networkLayout, parseTask, smallTask } from '@consilium/model';
import { keyFromSeed, logPlaceOf, openRecord, signRecord } from '@consilium/records';
import type { StudyState } from '@consilium/study';
import { MemoryLevel } from 'memory-level';
import { Author } from './author.ts';
import { foundStudy } from './founding.ts';
import type { Logger } from './logger.ts';
import { policyFor, privacyPlan } from './privacy-plan.ts';
import { RecordIntake } from './record-intake.ts';
import { RoundTraining } from './round-training.ts';
import type { Trainer } from './trainer.ts';
import type { TrainingState, TrainingStore } from './training-store.ts';

const key = keyFromSeed(new Uint8Array(32).fill(5));
export const roundTask = parseTask({
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 1, channels: [4, 4], groupChannels: 4 },
  training: { ...smallTask.training, stepsPerRound: 4 },
});
export const roundTrainable = networkLayout(roundTask.network)
  .tensors.map(({ name }) => name)
  .filter((name) => name.startsWith('head/'));
/** Noise for three rounds, and none to spare. */
const demand = { cohorts: [40], rounds: 3, stepsPerRound: 4, trainable: roundTrainable };
const strict = policyFor(
  privacyPlan.parse({ profile: 'strict', expectedBatch: 10, spareRounds: 0 }),
  demand,
);

export interface RoundSite {
  /** Trains a round from the present state. */
  round(number: number): Promise<void>;
  fold(): Promise<StudyState>;
  /** Kinds of the records that the site has signed. */
  kinds(): Promise<string[]>;
  readonly training: RoundTraining;
  /** Fields and sentences of what was logged as an error. */
  readonly errors: { fields: object; message: string }[];
}

/** A site of real logs and a fold, alone in its study, that trains with `trainer`. */
export async function roundSite(
  trainer: Pick<Trainer, 'check' | 'train'>,
  init: { isPrivate: boolean; patients?: number; trainingStore?: Pick<TrainingStore, 'load'> },
): Promise<RoundSite> {
  const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  const { manifest, payload } = foundStudy(
    {
      name: 'rounds',
      task: roundTask,
      start: initialWeights(roundTask.network, 1),
      privacy: init.isPrivate ? strict : null,
      rounds: { count: 10, quorum: 1, deadlineSeconds: 60 },
      roster: [{ site: key.id, name: 'a', role: 'trainer', patients: 40, addresses: [] }],
    },
    sha256,
  );
  const log = await openLogStore(new MemoryLevel<string, Uint8Array>(), logPlaceOf);
  const founding = signRecord(key, {
    kind: 'manifest',
    version: 1,
    study: null,
    author: key.id,
    index: 0,
    previous: null,
    heads: [],
    body: manifest,
  });
  await log.append(founding);
  const study = openRecord(founding).id;
  const blobs = new Map([[Buffer.from(sha256(payload)).toString('hex'), payload]]);
  const intake = new RecordIntake(log, study);
  const saved = new Map<number, TrainingState>();
  const errors: RoundSite['errors'] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (fields, message) => errors.push({ fields, message }),
  };
  const training = new RoundTraining(
    {
      author: new Author(key, study, log),
      blobs: {
        put: async (bytes) => {
          const digest = Buffer.from(sha256(bytes)).toString('hex');
          blobs.set(digest, bytes);
          return digest;
        },
      },
      trainer,
      trainingStore: {
        load: async (round) => saved.get(round) ?? null,
        save: async (round, state) => void saved.set(round, state),
        forget: async () => {},
        ...init.trainingStore,
      },
      random: (count) => new Uint8Array(count),
      logger,
      announce: async () => undefined,
    },
    {
      cohort: {
        kind: 'phantom',
        profile: 'hospital-a',
        patients: init.patients ?? 43,
        seed: 1,
        size: [24, 24, 6],
      },
      payloadBits: 16,
    },
  );
  const fold = async (): Promise<StudyState> => {
    await intake.take();
    return intake.fold.state({ get: async (digest) => blobs.get(digest) });
  };
  return {
    training,
    errors,
    fold,
    kinds: async () => {
      const { size } = log.head(key.id);
      const entries = await log.read(key.id, 0, { maxEntries: size, maxBytes: 1e9 });
      return entries.map((entry) => openRecord(entry).record.kind);
    },
    round: async (number) => {
      const state = await fold();
      const self = state.members[0] as StudyState['members'][number];
      await training.train(number, { state, self }, intake.fold.founding()?.budget ?? null, {
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
    },
  };
}
