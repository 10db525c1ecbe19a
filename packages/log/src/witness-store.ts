import type { AbstractLevel, AbstractPutOptions } from 'abstract-level';
import { storageError } from './error.ts';
import type { WitnessStore } from './witness.ts';

/**
 * The witness's store in the sublevel `witness` of `level`: the origin as key, the note as value, written synced. Its
 * failures are `LogError`s `DISK_FULL` and `STORE`.
 */
export function openWitnessStore<F, K, V>(level: AbstractLevel<F, K, V>): WitnessStore {
  const sublevel = level.sublevel<string, Uint8Array>('witness', {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
  });
  return {
    async get(origin) {
      try {
        const note = await sublevel.get(origin);
        return note && new Uint8Array(note);
      } catch (cause) {
        throw storageError('read what was cosigned', cause);
      }
    },
    async put(origin, note) {
      const options: SyncedPutOptions = { sync: true };
      try {
        await sublevel.put(origin, note, options);
      } catch (cause) {
        throw storageError('write what is cosigned', cause);
      }
    },
  };
}

// `sync` is classic-level's own option; abstract-level passes it on without knowing it.
interface SyncedPutOptions extends AbstractPutOptions<string, Uint8Array> {
  readonly sync: boolean;
}
