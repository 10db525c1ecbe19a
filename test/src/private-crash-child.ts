import { randomBytes } from 'node:crypto';
import { appendFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openBlobStore, openLogStore } from '@consilium/log';
import { OwnLog, openTrainingStore, Site, type SiteComponents, systemClock } from '@consilium/node';
import { createMechanism, oneByOne } from '@consilium/privacy';
import { logPlaceOf, openRecord } from '@consilium/records';
import { Level } from 'level';
import { foundingEnvelope, initialPayload, privateKey } from './private-site.ts';

/**
 * One life of a site that trains in private, until it is killed: the node's own loop, stores and mechanism, on made-up gradients.
 *
 * It says on its standard output when it is ready, and after each reservation and each update.
 * Before each step that could read a patient it writes to `journal` which reservation pays for it; a line there is older than the step.
 */
const [folder = ''] = process.argv.slice(2);
const level = new Level<string, Uint8Array>(join(folder, 'store'), { valueEncoding: 'view' });
const log = await openLogStore(level.sublevel('log'), logPlaceOf);
const blobs = await openBlobStore(join(folder, 'blobs'));
if (log.head(privateKey.id).size === 0) {
  await blobs.put(initialPayload);
  await log.append(foundingEnvelope);
}

const trainer: SiteComponents['trainer'] = {
  check: async () => null,
  async train({ weights, optimizerState, steps, privacy, cohort }) {
    if (privacy === null || cohort.kind !== 'phantom') throw new RangeError('a private job');
    const mechanism = createMechanism({ random: randomBytes }, privacy.mechanism);
    const reserve = log.head(privateKey.id).size - 1;
    const dimension = weights.length;
    const moved = weights.slice();
    for (let step = 0; step < steps; step++) {
      appendFileSync(join(folder, 'journal'), `${reserve}\n`);
      const released = await mechanism.step({
        patients: cohort.patients,
        dimension,
        gradientsOf: oneByOne(async (patient) =>
          new Float32Array(dimension).fill(0.01 * (1 + patient)),
        ),
      });
      for (const [i, value] of released.entries()) moved[i] = (moved[i] as number) - 0.01 * value;
    }
    const first = new Float32Array(dimension);
    const state = { rule: 'sgd' as const, steps, first, second: new Float32Array() };
    return { weights: moved, optimizerState: optimizerState ?? state, steps };
  },
  evaluate: () => Promise.reject(new RangeError('this site has no patients to evaluate on')),
};

const silent = (): void => undefined;
const site = new Site(
  {
    key: privateKey,
    study: openRecord(foundingEnvelope).id,
    log,
    blobs,
    network: {
      announce: async () => undefined,
      fetchBlob: () => Promise.reject(new RangeError('there is nobody to fetch from')),
      sync: async () => ({ peers: 0, failed: 0 }),
    },
    trainer,
    trainingStore: openTrainingStore(join(folder, 'training'), silent),
    clock: systemClock,
    random: randomBytes,
    ownLog: new OwnLog(privateKey.id, log, { sizeBeforeDamage: 0, isRestoring: false }),
    logger: {
      debug: silent,
      info: (_, message) => writeSync(1, `${message}\n`),
      warn: silent,
      error: (_, message) => {
        throw new Error(message);
      },
    },
  },
  {
    train: { kind: 'phantom', profile: 'hospital-a', patients: 43, seed: 1 },
    test: null,
    payloadBits: 16,
    everyRounds: 0,
  },
);
writeSync(1, 'ready\n');
await site.run(new AbortController().signal);
