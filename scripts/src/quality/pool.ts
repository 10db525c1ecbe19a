import { createTrainer, type Trainer } from '@consilium/node';

/**
 * A few training processes that take jobs from one queue, the job with the highest urgency first. Each process computes with one thread.
 */
export interface Pool {
  run<T>(urgency: number, work: (trainer: Trainer) => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

interface Waiting {
  readonly urgency: number;
  start(trainer: Trainer): void;
}

export function createPool(processes: number): Pool {
  const trainers = Array.from({ length: processes }, () =>
    createTrainer({ compute: { threads: 1 }, cacheBytes: 1024 * 2 ** 20 }),
  );
  const idle = [...trainers];
  const waiting: Waiting[] = [];
  const next = (): void => {
    while (idle.length > 0 && waiting.length > 0) {
      waiting.sort((a, b) => b.urgency - a.urgency);
      waiting.shift()?.start(idle.pop() as Trainer);
    }
  };
  return {
    run: (urgency, work) =>
      new Promise((resolve, reject) => {
        waiting.push({
          urgency,
          start: (trainer) => {
            work(trainer)
              .then(resolve, reject)
              .finally(() => {
                idle.push(trainer);
                next();
              });
          },
        });
        next();
      }),
    stop: async () => {
      waiting.length = 0;
      await Promise.all(trainers.map((trainer) => trainer.stop()));
    },
  };
}
