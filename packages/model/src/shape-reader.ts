import { ModelError } from './error.ts';

/**
 * Reads plain data strictly: each method names what it wants and refuses everything else with the path of the
 * value, e.g. `task.training.batch: must be an integer in [1, 64], got 0`. `end()` refuses keys nobody asked for.
 */
export interface ShapeReader {
  object(key: string): ShapeReader;
  integer(key: string, low: number, high: number): number;
  number(key: string, low: number, high: number): number;
  numbers(key: string, count: number, low: number, high: number): number[];
  integers(key: string, least: number, most: number, low: number, high: number): number[];
  oneOf<const T extends string>(key: string, values: readonly T[]): T;
  flag(key: string): boolean;
  /** A rule beyond the type of one value. */
  require(key: string, holds: boolean, rule: string): void;
  end(): void;
}

/** @throws {ModelError} `TASK_INVALID` from every method of the reader, and when `value` is no plain object. */
export function readShape(value: unknown, path: string): ShapeReader {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(path, 'must be an object', value);
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  const asked = new Set<string>();
  const take = (key: string): unknown => {
    asked.add(key);
    if (!fields.has(key)) {
      throw new ModelError('TASK_INVALID', `${path}.${key}: is missing`);
    }
    return fields.get(key);
  };
  const number = (found: unknown, at: string, low: number, high: number): number => {
    if (typeof found !== 'number' || !(found >= low && found <= high)) {
      throw invalid(at, `must be a number in [${low}, ${high}]`, found);
    }
    return found;
  };
  const integer = (found: unknown, at: string, low: number, high: number): number => {
    if (!Number.isInteger(found) || (found as number) < low || (found as number) > high) {
      throw invalid(at, `must be an integer in [${low}, ${high}]`, found);
    }
    return found as number;
  };
  const list = (key: string, least: number, most: number): unknown[] => {
    const found = take(key);
    if (!Array.isArray(found) || found.length < least || found.length > most) {
      throw invalid(`${path}.${key}`, `must be a list of ${least} to ${most} numbers`, found);
    }
    return found;
  };
  return {
    object: (key) => readShape(take(key), `${path}.${key}`),
    integer: (key, low, high) => integer(take(key), `${path}.${key}`, low, high),
    number: (key, low, high) => number(take(key), `${path}.${key}`, low, high),
    numbers: (key, count, low, high) =>
      list(key, count, count).map((item, i) => number(item, `${path}.${key}[${i}]`, low, high)),
    integers: (key, least, most, low, high) =>
      list(key, least, most).map((item, i) => integer(item, `${path}.${key}[${i}]`, low, high)),
    oneOf: (key, values) => {
      const found = take(key);
      const match = values.find((candidate) => candidate === found);
      if (match === undefined) {
        throw invalid(`${path}.${key}`, `must be one of ${values.join(', ')}`, found);
      }
      return match;
    },
    flag: (key) => {
      const found = take(key);
      if (typeof found !== 'boolean') {
        throw invalid(`${path}.${key}`, 'must be true or false', found);
      }
      return found;
    },
    require: (key, holds, rule) => {
      if (!holds) {
        throw invalid(`${path}.${key}`, rule, fields.get(key));
      }
    },
    end: () => {
      for (const key of fields.keys()) {
        if (!asked.has(key)) {
          throw new ModelError('TASK_INVALID', `${path}.${key}: is not a known key`);
        }
      }
    },
  };
}

function invalid(path: string, wanted: string, found: unknown): ModelError {
  return new ModelError('TASK_INVALID', `${path}: ${wanted}, got ${describe(found)}`);
}

function describe(found: unknown): string {
  if (Array.isArray(found)) {
    return `a list of ${found.length}`;
  }
  if (typeof found === 'object' && found !== null) {
    return 'an object';
  }
  return typeof found === 'string' ? JSON.stringify(found.slice(0, 40)) : String(found);
}
