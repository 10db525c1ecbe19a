import type { Patient } from '@consilium/imaging';
import {
  type Condition,
  type Confounder,
  generatePatient,
  type ScannerName,
  type ScannerProfile,
} from '@consilium/imaging/phantom';
import { type Seeded, seeded } from '@consilium/model';
import { drawScanner } from './scanner.ts';

const confounders: readonly Confounder[] = ['atelectasis', 'granuloma', 'effusion', 'emphysema'];

/** The `index`-th patient to pre-train on: a person and a scanner of their own each. Every fifth is a control. */
export function pretrainingPatient(seed: number, index: number): Patient {
  const random = seeded('pre-training', seed, index);
  return draw(index, drawScanner(random), random);
}

/** The `index`-th patient of a hospital that pre-training never saw, to judge it by. */
export function heldOutPatient(profile: ScannerName, seed: number, index: number): Patient {
  return draw(index, profile, seeded('pre-training, held out', seed, profile, index));
}

function draw(index: number, profile: ScannerProfile | ScannerName, random: Seeded): Patient {
  return generatePatient({
    seed: random.uint32(),
    profile,
    condition: drawCondition(index % 5 === 4, random),
    size: [128, 128, 24],
  });
}

function drawCondition(isControl: boolean, random: Seeded): Condition {
  const found = confounders.filter(() => random.uniform() < 0.2);
  return isControl
    ? { kind: 'control', confounders: found }
    : { kind: 'covid', day: 2 + random.below(19), confounders: found };
}
