import * as tf from '@tensorflow/tfjs-core';
import { ComputeError } from './error.ts';
import { createTurns } from './turns.ts';

// TensorFlow.js has one active backend in a process. Whoever uses one waits for its turn.
const turns = createTurns();

/** Runs `work` when everybody in this process who asked before has finished; nobody else changes the active backend meanwhile. */
export function inTurn<T>(work: () => Promise<T>): Promise<T> {
  return turns.take(work);
}

/**
 * Runs `work` in turn with the backend `name` active.
 * @throws {ComputeError} `ENGINE_FAILED` when TensorFlow.js cannot start it.
 */
export function withBackend<T>(name: string, work: () => Promise<T>): Promise<T> {
  return inTurn(async () => {
    if (tf.getBackend() !== name && !(await tf.setBackend(name))) {
      throw new ComputeError('ENGINE_FAILED', `TensorFlow.js could not start its backend ${name}`);
    }
    return work();
  });
}
