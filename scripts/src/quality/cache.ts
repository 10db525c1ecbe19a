import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';

/** What earlier runs of the same configuration left: one file a unit, so that an interrupted benchmark goes on where it was. */
export interface Cache {
  /** Undefined when the unit was never stored. */
  load<T>(unit: string): Promise<T | undefined>;
  store(unit: string, value: unknown): Promise<void>;
}

export function openCache(folder: string): Cache {
  const fileOf = (unit: string): string => join(folder, `${unit.replaceAll('/', '-')}.bin`);
  return {
    async load<T>(unit: string): Promise<T | undefined> {
      try {
        return deserialize(await readFile(fileOf(unit))) as T;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
          return undefined;
        }
        throw error;
      }
    },
    async store(unit, value) {
      const file = fileOf(unit);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(`${file}.part`, serialize(value));
      await rename(`${file}.part`, file);
    },
  };
}
