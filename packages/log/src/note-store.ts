import type { AbstractLevel, AbstractPutOptions } from 'abstract-level';
import { storageError } from './error.ts';

/** Notes by name; what was put survives a power cut. */
export interface NoteStore {
  entries(): Promise<[string, Uint8Array][]>;
  put(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
}

/** The notes in the sublevel `notes` of `level`. Its failures are `LogError`s `DISK_FULL` and `STORE`. */
export function openNoteStore<F, K, V>(level: AbstractLevel<F, K, V>): NoteStore {
  const sublevel = level.sublevel<string, Uint8Array>('notes', {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
  });
  // `sync` is classic-level's own option; abstract-level passes it on without knowing it.
  const synced: AbstractPutOptions<string, Uint8Array> & { readonly sync: boolean } = {
    sync: true,
  };
  async function kept<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw storageError(doing, cause);
    }
  }
  return {
    entries: () =>
      kept('read the notes', async () =>
        (await sublevel.iterator().all()).map(([name, bytes]) => [name, new Uint8Array(bytes)]),
      ),
    put: (name, bytes) => kept('write a note', () => sublevel.put(name, bytes, synced)),
    remove: (name) => kept('remove a note', () => sublevel.del(name, synced)),
  };
}
