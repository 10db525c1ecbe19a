/** PLACEHOLDER until measured */
export function costOf(noiseToSignal: number): string {
  return `${noiseToSignal}`;
}
