import { writeSync } from 'node:fs';
import { inferencePart } from './inference-part.ts';
import { operatorsPart } from './operators-part.ts';
import { peaksPart } from './peaks-part.ts';
import { probePart } from './probe-part.ts';
import { profilePart } from './profile-part.ts';
import { readingPart } from './reading-part.ts';
import { trainingPart } from './training-part.ts';
import { unetPart } from './unet-part.ts';

const parts = {
  probe: probePart,
  operators: operatorsPart,
  unet: unetPart,
  training: trainingPart,
  inference: inferencePart,
  reading: readingPart,
  peaks: peaksPart,
  profile: profilePart,
};

/** What one child process of the kit can do. */
export type PartName = keyof typeof parts;
export type PartSettings<P extends PartName> = Parameters<(typeof parts)[P]>[0];
export type PartRow<P extends PartName> = Parameters<Parameters<(typeof parts)[P]>[1]>[0];

/** Where a part writes its rows, one JSON value a line: its standard output belongs to drivers, which like to talk. */
const rowsFd = 3;

// A process of its own: part.js NAME SETTINGS.
if (import.meta.main) {
  const [, , name = '', settings = ''] = process.argv;
  const known: Readonly<Record<string, Part>> = parts;
  const part = known[name];
  if (part === undefined) throw new RangeError(`there is no part ${name}`);
  await part(JSON.parse(settings) as never, (row) => writeSync(rowsFd, `${JSON.stringify(row)}\n`));
  // A device that is still at work, or a driver's threads, must not keep the process.
  process.exit(0);
}

type Part = (settings: never, say: (row: unknown) => void) => Promise<void>;
