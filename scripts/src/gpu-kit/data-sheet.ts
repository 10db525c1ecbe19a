import type { Floor } from './profile-kernels.ts';

/** A GPU's float32 arithmetic outside of its tensor units and its memory, as the maker states them. */
interface DataSheet extends Floor {
  readonly match: RegExp;
}

// Rounded, and not looked up again for this table: good for an order of magnitude. Compare one with its maker's page before quoting a floor by it.
const sheets: readonly DataSheet[] = [
  { match: /H200/, gflopPerSecond: 67_000, gbytePerSecond: 4800 },
  { match: /H100.*PCIe/, gflopPerSecond: 51_000, gbytePerSecond: 2000 },
  { match: /H100/, gflopPerSecond: 67_000, gbytePerSecond: 3350 },
  { match: /A100.*80/, gflopPerSecond: 19_500, gbytePerSecond: 2039 },
  { match: /A100/, gflopPerSecond: 19_500, gbytePerSecond: 1555 },
  { match: /L40S/, gflopPerSecond: 91_600, gbytePerSecond: 864 },
  { match: /\bL4\b/, gflopPerSecond: 30_300, gbytePerSecond: 300 },
  { match: /\bT4\b/, gflopPerSecond: 8100, gbytePerSecond: 320 },
  { match: /V100/, gflopPerSecond: 15_700, gbytePerSecond: 900 },
  { match: /\bA10\b/, gflopPerSecond: 31_200, gbytePerSecond: 600 },
  { match: /RTX 4090/, gflopPerSecond: 82_600, gbytePerSecond: 1008 },
  { match: /RTX 3090/, gflopPerSecond: 35_600, gbytePerSecond: 936 },
  { match: /RTX A6000/, gflopPerSecond: 38_700, gbytePerSecond: 768 },
];

/** The data sheet of a device by its name, or null for one that is not listed. */
export function dataSheetOf(device: string): Floor | null {
  const sheet = sheets.find(({ match }) => match.test(device));
  if (sheet === undefined) return null;
  const { gflopPerSecond, gbytePerSecond } = sheet;
  return { gflopPerSecond, gbytePerSecond };
}
