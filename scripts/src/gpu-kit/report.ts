import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the kit tells: lines for people at once, figures as JSON. Both are on disk after every call, so that nothing is lost with the machine. */
export interface Report {
  /** On the screen and in `results.txt`. */
  print(text: string): void;
  /** Sets one field of `results.json`. */
  record(field: string, value: unknown): void;
}

/** Starts both files anew in `folder`, which is made where it is missing. */
export function createReport(folder: string): Report {
  mkdirSync(folder, { recursive: true });
  const results: Record<string, unknown> = {};
  writeFileSync(join(folder, 'results.txt'), '');
  return {
    print(text) {
      console.log(text);
      appendFileSync(join(folder, 'results.txt'), `${text}\n`);
    },
    record(field, value) {
      results[field] = value;
      const file = join(folder, 'results.json');
      writeFileSync(`${file}.new`, `${JSON.stringify(results, writable, 2)}\n`);
      renameSync(`${file}.new`, file);
    },
  };
}

/** JSON has no infinity: it is written as a word, not as null. */
function writable(_field: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
