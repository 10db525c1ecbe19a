import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { OptimizerState } from '@consilium/model';
import { exists, writeDurably } from './site-folder.ts';

/** What a site's training carries from one round to the next. Belongs to the site alone. */
export interface TrainingState {
  /** The site-local tensors, in the local layout's order. */
  readonly local: Float32Array;
  readonly optimizer: OptimizerState;
  /** What rounding to the payload's integers left over, in the shared layout's order. */
  readonly residual: Float32Array;
}

/**
 * Keeps the training state of each finished round as one file with a checksum.
 *
 * A round's state is saved before its update is signed. A crash between the two leaves a file for a round that the log does not have;
 * the next start loads the round that it has, and trains again from there.
 */
export interface TrainingStore {
  /** The state after `round`, or null when there is none, or it is damaged: training then starts with a fresh optimizer and zero corrections. */
  load(round: number): Promise<TrainingState | null>;
  /** @throws {NodeError} `DISK_FULL`. */
  save(round: number, state: TrainingState): Promise<void>;
  /** Deletes the states before `round`. */
  forget(round: number): Promise<void>;
}

/** A store in `folder`; what happened to a damaged file is told to `onDamage`. */
export function openTrainingStore(
  folder: string,
  onDamage: (round: number) => void,
): TrainingStore {
  const fileOf = (round: number): string => join(folder, `round-${round}.bin`);
  return {
    async load(round) {
      if (!(await exists(fileOf(round)))) return null;
      const bytes = await readFile(fileOf(round));
      const body = bytes.subarray(32);
      if (bytes.length < 32 || !checksum(body).equals(bytes.subarray(0, 32))) {
        onDamage(round);
        return null;
      }
      return deserialize(body) as TrainingState;
    },
    async save(round, state) {
      const body = serialize(state);
      await writeDurably(fileOf(round), Buffer.concat([checksum(body), body]));
    },
    async forget(round) {
      if (!(await exists(folder))) return;
      for (const name of await readdir(folder)) {
        // A `.tmp` is what a killed process left of one.
        const kept = /^round-(\d+)\.bin(\.tmp)?$/.exec(name);
        if (kept !== null && Number(kept[1]) < round) await rm(join(folder, name), { force: true });
      }
    },
  };
}

function checksum(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest();
}
