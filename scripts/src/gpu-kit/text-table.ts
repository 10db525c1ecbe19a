/** One cell: numbers are written with three significant digits, and to the right. */
export type Cell = string | number | null;

/** Rows under headings, in columns wide enough for all; `null` is a dash. Ends without a line break. */
export function textTable(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const written = [headings, ...rows.map((row) => row.map(write))];
  const widths = headings.map((_, column) =>
    Math.max(...written.map((row) => row[column]?.length ?? 0)),
  );
  const rightward = headings.map((_, column) =>
    rows.some((row) => typeof row[column] === 'number'),
  );
  const lines = written.map((row) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        return rightward[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
  // A last column of text may hold whole sentences: its line stays as short as its heading.
  const ruled = widths.with(
    -1,
    rightward.at(-1) ? (widths.at(-1) ?? 0) : (headings.at(-1)?.length ?? 0),
  );
  lines.splice(
    1,
    0,
    ruled
      .map((width) => '-'.repeat(width))
      .join('  ')
      .trimEnd(),
  );
  return lines.join('\n');
}

function write(cell: Cell): string {
  if (cell === null) return '-';
  if (typeof cell === 'string') return cell;
  if (!Number.isFinite(cell)) return String(cell);
  if (Number.isInteger(cell)) return String(cell);
  const size = Math.abs(cell);
  if (size < 1e-3) return cell.toExponential(1);
  return size >= 100 ? cell.toFixed(0) : cell.toPrecision(3);
}
