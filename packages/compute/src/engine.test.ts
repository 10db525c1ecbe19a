import { expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { createProgram } from './engine.ts';

const g = createGraph();
g.output('y', g.relu(g.input('x', [1])));
const graph = g.build();

/** A program whose runs end when told, and a diary of what happened. */
function controlled(): {
  program: ReturnType<typeof createProgram>;
  diary: string[];
  finish: ((error?: Error) => void)[];
} {
  const diary: string[] = [];
  const finish: ((error?: Error) => void)[] = [];
  const program = createProgram(
    graph,
    async ({ x }) => {
      const name = `run ${x?.[0]}`;
      diary.push(`${name} starts`);
      await new Promise<void>((resolve, reject) => {
        finish.push((error) => (error === undefined ? resolve() : reject(error)));
      });
      diary.push(`${name} ends`);
      return { outputs: {} };
    },
    async () => {
      diary.push('released');
    },
  );
  return { program, diary, finish };
}

const none = new Float32Array();
const x = (value: number): { x: Float32Array } => ({ x: Float32Array.of(value) });

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('a second run starts when the first has ended, and release waits for both', async () => {
  const { program, diary, finish } = controlled();
  const runs = [program.run(x(1), none), program.run(x(2), none)];
  const closed = program.close();
  await settled();
  expect(diary).toEqual(['run 1 starts']);
  finish[0]?.();
  await settled();
  expect(diary).toEqual(['run 1 starts', 'run 1 ends', 'run 2 starts']);
  finish[1]?.();
  await Promise.all([...runs, closed]);
  expect(diary.slice(3)).toEqual(['run 2 ends', 'released']);
});

test('a run that fails tells its caller alone; the next one starts', async () => {
  const { program, diary, finish } = controlled();
  const first = program.run(x(1), none);
  const second = program.run(x(2), none);
  await settled();
  finish[0]?.(new Error('out of memory'));
  await expect(first).rejects.toThrow('out of memory');
  await settled();
  finish[1]?.();
  await expect(second).resolves.toEqual({ outputs: {} });
  expect(diary).toEqual(['run 1 starts', 'run 2 starts', 'run 2 ends']);
});

test('a run aborted while it waits never starts', async () => {
  const { program, diary, finish } = controlled();
  const first = program.run(x(1), none);
  const abort = new AbortController();
  const second = program.run(x(2), none, { signal: abort.signal });
  await settled();
  abort.abort(new Error('shutting down'));
  finish[0]?.();
  await first;
  await expect(second).rejects.toThrow('shutting down');
  expect(diary).toEqual(['run 1 starts', 'run 1 ends']);
});
