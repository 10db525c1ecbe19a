import type { CohortSource } from '@consilium/node';

/** A hospital of the benchmark: a short name and the patients that it alone has. */
export interface Hospital {
  readonly name: string;
  readonly patients: readonly string[];
}

/** Who trains, as the data's own description deals the patients out. */
export const hospitals: readonly Hospital[] = [
  { name: 'a', patients: ['coronacases_001', 'coronacases_002', 'coronacases_003'] },
  { name: 'b', patients: ['coronacases_004', 'coronacases_005', 'coronacases_006'] },
  {
    name: 'c',
    patients: [
      'radiopaedia_10_85902_1',
      'radiopaedia_10_85902_3',
      'radiopaedia_27_86410_0',
      'radiopaedia_29_86490_1',
      'radiopaedia_29_86491_1',
    ],
  },
];

/** Patients that nobody trains on. */
export const internalTest: Hospital = {
  name: 'internal',
  patients: ['coronacases_007', 'radiopaedia_7_85703_0'],
};

export const cohortFolder = 'covid19-ct-seg-20-png';

export function cohortOf(folder: string, patients: readonly string[]): CohortSource {
  return { kind: 'png', folder, patients };
}

/** A name short enough for a column. */
export function shortName(patient: string): string {
  return patient.replace('coronacases_', 'k').replace('radiopaedia_', 'r');
}
