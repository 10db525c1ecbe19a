import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { type Page, readPages, root, tableRows } from './page.ts';

/** A row of a table of limits: what the page says, and where the code says it. */
export interface StatedLimit {
  readonly page: string;
  readonly what: string;
  readonly stated: number;
  /** Name of the constant or of the field. */
  readonly constant: string;
  /** From the repository's root. */
  readonly file: string;
}

const heading = 'Limits';

/** Every row `| what | 1,024 | [`NAME`](file) |` under a heading `Limits`. @throws {RangeError} for a row of another form. */
export function statedLimits(): StatedLimit[] {
  return readPages()
    .filter(({ text }) => /^## Limits$/m.test(text))
    .flatMap((page) => tableRows(page, heading).map((cells) => limitOf(page, cells)));
}

function limitOf(page: Page, [what = '', value = '', source = '']: readonly string[]): StatedLimit {
  const [, constant = '', link = ''] = /^\[`(\w+)`\]\(([^)]+)\)$/.exec(source) ?? [];
  const [digits = ''] = /^[\d,.]+/.exec(value) ?? [];
  if (constant === '' || digits === '') {
    throw new RangeError(`${page.path}: the limit ${what} names no number or no constant`);
  }
  const file = normalize(join(dirname(page.path), link));
  return { page: page.path, what, stated: Number(digits.replaceAll(',', '')), constant, file };
}

/** What the source says: the number at `NAME = …` or `NAME: …`. @throws {RangeError} when there is none. */
export function limitInSource(file: string, constant: string): number {
  const text = readFileSync(join(root, file), 'utf8');
  const declared = new RegExp(`\\b${constant}(?:: number)?(?: =|:) ([\\d_. */+()-]+)[;,)]`).exec(
    text,
  );
  if (declared?.[1] === undefined) throw new RangeError(`${file} declares no number ${constant}`);
  return evaluated(declared[1]);
}

/** Sums, products and powers of numbers, as they stand in sources. */
export function evaluated(expression: string): number {
  const sum = expression.split(/ ([+-]) /);
  return sum.reduce((total, term, i) => {
    if (i % 2 === 1) return total;
    const value = product(term);
    return sum[i - 1] === '-' ? total - value : total + value;
  }, 0);
}

function product(term: string): number {
  return term
    .split(/(?<=[\d ]) ?\* (?!\*)/)
    .map((factor) => {
      const [base = '', exponent] = factor.split(' ** ');
      const value = Number(base.replaceAll('_', ''));
      return exponent === undefined ? value : value ** Number(exponent);
    })
    .reduce((all, factor) => all * factor, 1);
}
