/** One measured study: its noise against its signal, and what it lost. */
interface Measured {
  readonly noiseToSignalStudy: number;
  /** Share of the lesion Dice on an external site that the same study without privacy had more; 95 % interval by patient. */
  readonly lost: number;
  readonly low: number;
  readonly high: number;
}

/** Printed by `npm run bench:privacy`: generated patients, three hospitals of 200 to 320, three seeds; see the page of measurements. Rising. */
const measured: readonly Measured[] = [
  { noiseToSignalStudy: 0.059, lost: 0.032, low: 0.02, high: 0.045 },
  { noiseToSignalStudy: 0.102, lost: 0.033, low: 0.021, high: 0.046 },
  { noiseToSignalStudy: 0.235, lost: 0.031, low: 0.019, high: 0.045 },
];

/** What a study with so much noise can expect, in words: by the measured study that had at least as much. Not a promise: other patients are other patients. */
export function costOf(noiseToSignalStudy: number): string {
  const nearest = measured.find((each) => each.noiseToSignalStudy >= noiseToSignalStudy);
  if (nearest === undefined) {
    const most = measured.at(-1)?.noiseToSignalStudy ?? 0;
    return `more noise than was measured (${most}): expect little beyond the pre-trained weights, and measure before you promise`;
  }
  const percent = (share: number): string => (100 * share).toFixed(1);
  return `about ${percent(nearest.lost)} % of the lesion Dice on an unseen site, 95 % interval ${percent(nearest.low)} to ${percent(nearest.high)} %, as measured on generated patients`;
}
