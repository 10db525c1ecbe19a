import { ImagingError } from './error.ts';

const columns = ['slice', 'case'];
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * Reads a `slice_index.csv`: a head line `slice,case` (in either order), then one line a slice.
 * Returns the slices of every patient, patients and slices in the order of the file.
 *
 * Names are letters, digits, `.`, `_` and `-`, at most 128 characters, and do not start with a
 * dot, so that a name can never lead out of the cohort's folder.
 *
 * @throws {ImagingError} `BAD_INDEX`: other columns, a line with another number of fields, a name
 * that is not allowed, a slice named twice, or no slice at all.
 */
export function parseSliceIndex(text: string, file: string): ReadonlyMap<string, string[]> {
  const bad = (line: number, what: string): ImagingError =>
    new ImagingError('BAD_INDEX', `${file}, line ${line}: ${what}`);
  const lines = text.split(/\r?\n/);
  const head = (lines[0] ?? '').split(',');
  if (head.length !== columns.length || columns.some((column) => !head.includes(column))) {
    throw bad(1, `wanted the columns slice,case, got ${JSON.stringify(lines[0]?.slice(0, 120))}`);
  }
  const sliceColumn = head.indexOf('slice');
  const caseColumn = head.indexOf('case');
  const patients = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const [i, line] of lines.entries()) {
    if (i === 0 || line === '') continue;
    const fields = line.split(',');
    if (fields.length !== columns.length) {
      throw bad(i + 1, `wanted ${columns.length} fields, got ${fields.length}`);
    }
    const slice = fields[sliceColumn] ?? '';
    const id = fields[caseColumn] ?? '';
    if (!namePattern.test(slice) || !namePattern.test(id)) {
      throw bad(i + 1, 'a name is empty, too long, or holds a character that is not allowed');
    }
    if (seen.has(slice)) throw bad(i + 1, `slice ${slice} is named twice`);
    seen.add(slice);
    const slices = patients.get(id);
    if (slices === undefined) patients.set(id, [slice]);
    else slices.push(slice);
  }
  if (patients.size === 0) throw bad(1, 'names no slice');
  return patients;
}
