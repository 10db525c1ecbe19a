import { createHash } from 'node:crypto';
import { initialWeights, networkLayout, smallTask } from '@consilium/model';
import { foundStudy } from '@consilium/node';
import { keyFromSeed, type PrivatePolicy, signRecord } from '@consilium/records';

/** A study of one site that trains in private for ever: what is told to nobody can still be lost, or spent twice. */
const task = {
  ...smallTask,
  network: { size: 16, cropSize: 16, slices: 1, channels: [4, 4], groupChannels: 4 },
  training: { ...smallTask.training, stepsPerRound: 3 },
};

const policy: PrivatePolicy = {
  profile: 'reconstruction-guard',
  // Far away: what is to be seen is that spending only grows, not where it ends.
  epsilon: 10_000,
  delta: 1e-4,
  sampleRate: 0.25,
  noiseMultiplier: 1.5,
  clipNorm: 0.5,
  gradientExponent: -17,
  slicesPerPatient: 2,
  trainable: networkLayout(task.network)
    .tensors.map(({ name }) => name)
    .filter((name) => !name.startsWith('site/')),
};

export const privateKey: ReturnType<typeof keyFromSeed> = keyFromSeed(new Uint8Array(32).fill(77));
const declaredPatients = 40;

const founded = foundStudy(
  {
    name: 'a private study of one site',
    task,
    start: initialWeights(task.network, 7),
    privacy: policy,
    rounds: { count: 50_000, quorum: 1, deadlineSeconds: 3600 },
    roster: [
      {
        site: privateKey.id,
        name: 'alone',
        role: 'trainer',
        patients: declaredPatients,
        addresses: [],
      },
    ],
  },
  (bytes) => createHash('sha256').update(bytes).digest(),
);

/** The payload of the initial weights, and the founding record. */
export const initialPayload: Uint8Array = founded.payload;
export const foundingEnvelope: Uint8Array = signRecord(privateKey, {
  kind: 'manifest',
  version: 1,
  study: null,
  author: privateKey.id,
  index: 0,
  previous: null,
  heads: [],
  body: founded.manifest,
});
