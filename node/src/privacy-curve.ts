import type { PrivacyForecast, SpentAfter } from './privacy-forecast.ts';

const width = 640;
const height = 400;
const frame = { left: 60, right: 20, top: 50, bottom: 50 };

/** The forecast as a picture (SVG): ε against rounds by both accountants, and the cap. */
export function privacyCurve({ policy, curve }: PrivacyForecast): string {
  const last = curve.at(-1)?.round ?? 1;
  const top = 1.1 * Math.max(policy.epsilon, ...curve.map(({ rdp }) => rdp));
  const x = (round: number): number =>
    frame.left + (round / last) * (width - frame.left - frame.right);
  const y = (epsilon: number): number =>
    height - frame.bottom - (epsilon / top) * (height - frame.top - frame.bottom);
  const line = (value: (point: SpentAfter) => number): string =>
    [{ round: 0, rdp: 0, pld: 0 }, ...curve]
      .map((point) => `${x(point.round).toFixed(1)},${y(value(point)).toFixed(1)}`)
      .join(' ');
  const label = (atX: number, atY: number, text: string, anchor = 'middle'): string =>
    `<text x="${atX.toFixed(1)}" y="${atY.toFixed(1)}" text-anchor="${anchor}">${text}</text>`;
  const middle = curve[Math.floor(curve.length / 2)];
  /** A curve's name, off its middle. */
  const beside = (epsilon: number, down: number, text: string, anchor: string): string =>
    label(x(middle?.round ?? 0), y(epsilon) + down, text, anchor);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>ε against rounds for profile ${policy.profile}, and its cap</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    label(
      width / 2,
      24,
      `What a patient's privacy costs: profile ${policy.profile}, noise multiplier ${policy.noiseMultiplier}`,
    ),
    ...ticks.map((share) => label(x(share * last), height - 30, String(Math.round(share * last)))),
    ...ticks.map((share) =>
      label(frame.left - 8, y(share * top) + 4, (share * top).toFixed(1), 'end'),
    ),
    label(width / 2, height - 10, 'rounds'),
    label(16, frame.top - 14, `ε at δ = ${policy.delta}`, 'start'),
    `<polyline fill="none" stroke="#888888" points="${x(0)},${y(top)} ${x(0)},${y(0)} ${x(last)},${y(0)}"/>`,
    `<line x1="${x(0)}" y1="${y(policy.epsilon)}" x2="${x(last)}" y2="${y(policy.epsilon)}" stroke="#b00020" stroke-dasharray="6 4"/>`,
    label(x(last), y(policy.epsilon) - 6, `cap ${policy.epsilon}`, 'end'),
    `<polyline fill="none" stroke="#1a4f8b" stroke-width="2" points="${line(({ rdp }) => rdp)}"/>`,
    beside(middle?.rdp ?? 0, -8, 'RDP (the gate)', 'end'),
    `<polyline fill="none" stroke="#2e7d32" stroke-width="2" points="${line(({ pld }) => pld)}"/>`,
    beside(middle?.pld ?? 0, 18, 'PLD', 'start'),
    '</svg>',
    '',
  ].join('\n');
}
