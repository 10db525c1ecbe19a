/** One bar of the plot. */
export interface PlotBar {
  readonly label: string;
  /** Ours by the peer's; positive. */
  readonly ratio: number;
  /** Where the bar may reach at most; null where nothing is promised. */
  readonly limit: number | null;
}

const width = 760;
const rowHeight = 22;
const top = 58;
const left = 310;
const right = 60;

/**
 * The ratios as an SVG of horizontal bars: a line at 1, where both are equally fast, and a mark at each bar's limit. A bar
 * within its limit is blue, one beyond it red, one without grey. Light or dark as the reader's system is.
 */
export function plotRatios(title: string, subtitle: string, bars: readonly PlotBar[]): string {
  const height = top + bars.length * rowHeight + 34;
  const most = Math.max(1.4, ...bars.flatMap(({ ratio, limit }) => [ratio, limit ?? 0]));
  const x = (ratio: number): number => left + (ratio / most) * (width - left - right);
  const bottom = top + bars.length * rowHeight;
  const ticks = Array.from(
    { length: Math.floor(most / tickStep(most)) + 1 },
    (_, i) => i * tickStep(most),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<desc>${escapeXml(describe(bars))}</desc>`,
    `<style>${style}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    text(16, 22, title, 'font-size="14" font-weight="bold"'),
    text(16, 40, subtitle, 'class="faint"'),
    ...ticks.map((tick) => line(x(tick), top, x(tick), bottom, 'grid')),
    ...ticks.map((tick) => text(x(tick), bottom + 18, tick.toFixed(1), 'text-anchor="middle"')),
    ...bars.flatMap((bar, row) => plotBar(bar, top + row * rowHeight, x)),
    line(x(1), top - 4, x(1), bottom, 'equal'),
    '</svg>',
    '',
  ].join('\n');
}

const style = [
  '.page{fill:#ffffff}text{fill:#1f2328}.faint{fill:#59636e}',
  '.grid{stroke:#d1d9e0}.equal{stroke:#1f2328}.limit{stroke:#1f2328;stroke-width:2;stroke-dasharray:3 2}',
  '.within{fill:#4c8dd6}.beyond{fill:#d1453b}.free{fill:#8b949e}',
  '@media (prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.faint{fill:#9198a1}',
  '.grid{stroke:#30363d}.equal,.limit{stroke:#e6edf3}}',
].join('');

function plotBar(
  { label, ratio, limit }: PlotBar,
  y: number,
  x: (ratio: number) => number,
): string[] {
  const kind = limit === null ? 'free' : ratio <= limit ? 'within' : 'beyond';
  return [
    text(left - 8, y + 15, label, 'text-anchor="end"'),
    `<rect class="${kind}" x="${left}" y="${y + 3}" width="${(x(ratio) - left).toFixed(1)}" height="${rowHeight - 6}"/>`,
    ...(limit === null ? [] : [line(x(limit), y + 1, x(limit), y + rowHeight - 1, 'limit')]),
    text(width - 16, y + 15, ratio.toFixed(2), 'text-anchor="end"'),
  ];
}

function describe(bars: readonly PlotBar[]): string {
  return bars
    .map(
      ({ label, ratio, limit }) =>
        `${label}: ${ratio.toFixed(2)}${limit === null ? '' : ` of at most ${limit}`}`,
    )
    .join('; ');
}

/** Few enough marks that their numbers do not touch. */
function tickStep(most: number): number {
  return [0.2, 0.5, 1, 2, 5].find((step) => most / step <= 10) ?? 10;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeXml(content)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, kind: string): string {
  const at = [x1, y1, x2, y2].map((value) => value.toFixed(1));
  return `<line class="${kind}" x1="${at[0]}" y1="${at[1]}" x2="${at[2]}" y2="${at[3]}"/>`;
}

function escapeXml(content: string): string {
  return content.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
