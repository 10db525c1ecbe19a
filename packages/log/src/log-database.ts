import type {
  AbstractBatchOperation,
  AbstractBatchOptions,
  AbstractLevel,
  AbstractSublevel,
} from 'abstract-level';
import { storageError } from './error.ts';

/** One change; changes written together happen together or not at all. */
export type LogOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/** A range of keys. */
interface KeyRange {
  readonly gte: string;
  readonly lt: string;
  readonly limit?: number;
}

/** The few things that a log asks of a database. Its failures are `LogError`s `DISK_FULL` and `STORE`. */
export interface LogDatabase {
  get(key: string): Promise<Uint8Array | undefined>;
  /** Pairs in ascending order of keys. */
  entries(range: KeyRange): AsyncIterable<[string, Uint8Array]>;
  keys(range: KeyRange): AsyncIterable<string>;
  /** With `sync`, what was written survives a power cut once the promise resolves; without, a crash of the process. */
  write(operations: readonly LogOperation[], options: { sync: boolean }): Promise<void>;
}

/** The database in the sublevel `log` of `level`. */
export function openLogDatabase<F, K, V>(level: AbstractLevel<F, K, V>): LogDatabase {
  const sublevel = level.sublevel<string, Uint8Array>('log', {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
  });
  return logDatabase(sublevel);
}

type Sublevel<D, F> = AbstractSublevel<D, F, string, Uint8Array>;

// `sync` is classic-level's own option; abstract-level passes it on without knowing it.
interface SyncedBatchOptions extends AbstractBatchOptions<string, Uint8Array> {
  readonly sync: boolean;
}

function logDatabase<D, F>(level: Sublevel<D, F>): LogDatabase {
  return {
    async get(key) {
      try {
        const value = await level.get(key);
        return value && new Uint8Array(value);
      } catch (cause) {
        throw storageError('read the log', cause);
      }
    },
    entries: (range) => translated(plainValues(level.iterator({ ...range }))),
    keys: (range) => translated(level.keys({ ...range })),
    async write(operations, { sync }) {
      const options: SyncedBatchOptions = { sync };
      const batch: AbstractBatchOperation<Sublevel<D, F>, string, Uint8Array>[] = operations.map(
        (operation) => ({ ...operation }),
      );
      try {
        await level.batch(batch, options);
      } catch (cause) {
        throw storageError('write the log', cause);
      }
    },
  };
}

/** memory-level hands out its own Buffers: copies are safe to keep, and compare as what their type says. */
async function* plainValues(
  pairs: AsyncIterable<[string, Uint8Array]>,
): AsyncGenerator<[string, Uint8Array], void, undefined> {
  for await (const [key, value] of pairs) yield [key, new Uint8Array(value)];
}

async function* translated<T>(iterator: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* iterator;
  } catch (cause) {
    throw storageError('read the log', cause);
  }
}
