import { createHash } from 'node:crypto';
import { openLogStore } from '@consilium/log';
import { initialWeights, networkLayout, smallTask } from '@consilium/model';
import { keyFromSeed, logPlaceOf, openRecord, signRecord } from '@consilium/records';
import type { StudyState } from '@consilium/study';
import { MemoryLevel } from 'memory-level';
import { expect, test } from 'vitest';
import { Author } from './author.ts';
import { foundStudy } from './founding.ts';
import { policyFor, privacyPlan } from './privacy-plan.ts';
import { RecordIntake } from './record-intake.ts';
import { RoundTraining } from './round-training.ts';
import type { TrainJob } from './training-messages.ts';

const key = keyFromSeed(new Uint8Array(32).fill(5));
const task = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 1, channels: [4, 4], groupChannels: 4 },
  training: { ...smallTask.training, stepsPerRound: 4 },
};
const trainable = networkLayout(task.network)
  .tensors.map(({ name }) => name)
  .filter((name) => name.startsWith('head/'));
/** Noise for three rounds, and none to spare. */
const demand = { cohorts: [40], rounds: 3, stepsPerRound: 4, trainable };
const privacy = policyFor(
  privacyPlan.parse({ profile: 'strict', expectedBatch: 10, spareRounds: 0 }),
  demand,
);

/** A site of real logs and a fold, whose training process is `train`. */
async function site(train: (job: TrainJob) => void) {
  const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
  const { manifest, payload } = foundStudy(
    {
      name: 'rounds',
      task,
      start: initialWeights(task.network, 1),
      privacy,
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
  const kinds = async (): Promise<string[]> => {
    const { size } = log.head(key.id);
    const entries = await log.read(key.id, 0, { maxEntries: size, maxBytes: 1e9 });
    return entries.map((entry) => openRecord(entry).record.kind);
  };
  const seen: string[][] = [];
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
      trainer: {
        train: async (job) => {
          seen.push(await kinds());
          train(job);
          const first = new Float32Array(trainable.length);
          const state = { rule: 'sgd' as const, steps: 4, first, second: new Float32Array() };
          return { weights: job.weights.slice(), optimizerState: state, steps: job.steps };
        },
      },
      trainingStore: { load: async () => null, save: async () => {}, forget: async () => {} },
      random: (count) => new Uint8Array(count),
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      announce: async () => undefined,
    },
    {
      cohort: { kind: 'phantom', profile: 'hospital-a', patients: 43, seed: 1 },
      payloadBits: 16,
    },
  );
  const fold = async (): Promise<StudyState> => {
    await intake.take();
    return intake.fold.state({ get: async (digest) => blobs.get(digest) });
  };
  const round = async (number: number): Promise<void> => {
    const state = await fold();
    const self = state.members[0] as StudyState['members'][number];
    await training.train(number, { state, self }, intake.fold.founding()?.budget ?? null, {
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
  };
  return { round, fold, kinds, seen, training };
}

test('has the reservation in its log before training begins, and pays for each update with one', async () => {
  const jobs: TrainJob[] = [];
  const { round, fold, seen } = await site((job) => jobs.push(job));
  await round(1);
  await round(2);
  expect(seen).toEqual([
    ['manifest', 'reserve'],
    ['manifest', 'reserve', 'update', 'reserve'],
  ]);
  expect(jobs[0]?.privacy).toMatchObject({ declaredPatients: 40, slicesPerPatient: 4 });
  expect(jobs[0]?.privacy?.mechanism.expectedBatch).toBe(10);
  const { findings, members } = await fold();
  expect(findings).toEqual([]);
  expect(members[0]?.spending).toMatchObject({ steps: 8, unused: 0 });
});

test('stops hard at the cap: no job reaches the training process, and nothing is signed', async () => {
  const { round, fold, kinds, seen } = await site(() => undefined);
  for (const number of [1, 2, 3]) await round(number);
  const before = await kinds();
  await expect(round(4)).rejects.toMatchObject({ code: 'BUDGET_EXHAUSTED' });
  expect(await kinds()).toEqual(before);
  expect(seen).toHaveLength(3);
  const { members, findings } = await fold();
  expect(findings).toEqual([]);
  expect(members[0]?.spending?.isExhausted).toBe(true);
  expect(members[0]?.spending?.epsilon).toBeLessThanOrEqual(3);
});

test('gives nothing back for a training that failed, and halts after three in a row', async () => {
  let failures = 2;
  const { round, fold, training, kinds } = await site(() => {
    if (failures-- > 0) throw new Error('the process was lost');
  });
  await expect(round(1)).rejects.toThrow('lost');
  await expect(round(1)).rejects.toThrow('lost');
  expect(training.isHalted).toBe(false);
  await round(1);
  expect(await kinds()).toEqual(['manifest', 'reserve', 'reserve', 'reserve', 'update']);
  expect((await fold()).members[0]?.spending).toMatchObject({ steps: 12, unused: 2 });

  const broken = await site(() => {
    throw new Error('a file cannot be read');
  });
  for (let i = 0; i < 3; i++) await expect(broken.round(1)).rejects.toThrow('cannot be read');
  expect(broken.training.isHalted).toBe(true);
});
