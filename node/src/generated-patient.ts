import type { Patient } from '@consilium/imaging';
import {
  type Condition,
  type Confounder,
  generatePatient,
  type ScannerName,
} from '@consilium/imaging/phantom';
import { type Seeded, seeded } from '@consilium/model';
import type { CohortSource } from './training-messages.ts';

const confounders: readonly Confounder[] = ['atelectasis', 'granuloma', 'effusion', 'emphysema'];

/**
 * One made-up patient of a cohort, the same for the same source and index: every fifth is a control without lesions, the others are ill since
 * 2 to 20 days; each confounder turns up in one patient out of five, and controls have at least one.
 *
 * @throws {RangeError} for an unknown scanner profile or an impossible size.
 */
export function generateMember(
  source: Extract<CohortSource, { kind: 'phantom' }>,
  index: number,
): Patient {
  const random = seeded('generated cohort', source.seed, source.profile, index);
  return generatePatient({
    seed: random.uint32(),
    profile: source.profile as ScannerName,
    condition: drawCondition(index % 5 === 4, random),
    size: source.size ?? [128, 128, 24],
  });
}

function drawCondition(isControl: boolean, random: Seeded): Condition {
  const found = confounders.filter(() => random.uniform() < 0.2);
  if (!isControl) {
    return { kind: 'covid', day: 2 + random.below(19), confounders: found };
  }
  const least = confounders[random.below(confounders.length)] as Confounder;
  return { kind: 'control', confounders: found.length > 0 ? found : [least] };
}
