import type { CohortSource } from '@consilium/node';

/** One process of the demonstration. */
export interface DemoSite {
  readonly name: string;
  readonly role: 'trainer' | 'validator' | 'observer';
  /** Declared cohort size; 0 unless a trainer. */
  readonly patients: number;
  readonly train: CohortSource | null;
  readonly test: CohortSource | null;
}

export interface DemoPlan {
  readonly title: string;
  readonly sites: readonly DemoSite[];
  /** Built-in task of the study. */
  readonly task: Record<string, unknown> | 'default' | 'small';
  readonly rounds: number;
  readonly stepsPerRound: number;
  /** How long a round waits for a trainer that was there before. */
  readonly deadlineSeconds: number;
  /** Which hospital is killed on the way, and after which round. */
  readonly killed: string;
  readonly killAfterRound: number;
}

/** Three hospitals with different scanners and unequal cohorts, an external one, and an observer: nobody's data, made up on the spot. */
export function generatedPlan(): DemoPlan {
  const cohort = (profile: string, patients: number, seed: number): CohortSource => ({
    kind: 'phantom',
    profile,
    patients,
    seed,
  });
  return {
    title: 'generated patients',
    sites: [
      {
        name: 'hospital-a',
        role: 'trainer',
        patients: 12,
        train: cohort('hospital-a', 12, 1),
        test: cohort('hospital-a', 5, 101),
      },
      {
        name: 'hospital-b',
        role: 'trainer',
        patients: 8,
        train: cohort('hospital-b', 8, 2),
        test: cohort('hospital-b', 5, 102),
      },
      {
        name: 'hospital-c',
        role: 'trainer',
        patients: 5,
        train: cohort('hospital-c', 5, 3),
        test: cohort('hospital-c', 5, 103),
      },
      {
        name: 'external',
        role: 'validator',
        patients: 0,
        train: null,
        test: cohort('external', 8, 104),
      },
      { name: 'auditor', role: 'observer', patients: 0, train: null, test: null },
    ],
    task: 'small',
    rounds: 20,
    stepsPerRound: 20,
    deadlineSeconds: 20,
    killed: 'hospital-b',
    killAfterRound: 5,
  };
}

/** The same on the public slices of 13 patients, as the data folder's description divides them. */
export function slicesPlan(data: string): DemoPlan {
  const cohort = (...patients: string[]): CohortSource => ({
    kind: 'png',
    folder: `${data}/covid19-ct-seg-20-png`,
    patients,
  });
  const corona = (...numbers: number[]): string[] => numbers.map((n) => `coronacases_00${n}`);
  const radiopaedia = ['10_85902_1', '10_85902_3', '27_86410_0', '29_86490_1', '29_86491_1'].map(
    (name) => `radiopaedia_${name}`,
  );
  return {
    ...generatedPlan(),
    title: 'real slices of 13 patients',
    task: 'default',
    rounds: 30,
    stepsPerRound: 25,
    sites: [
      {
        name: 'hospital-a',
        role: 'trainer',
        patients: 3,
        train: cohort(...corona(1, 2, 3)),
        test: cohort(...corona(7)),
      },
      {
        name: 'hospital-b',
        role: 'trainer',
        patients: 3,
        train: cohort(...corona(4, 5, 6)),
        test: cohort(...corona(7)),
      },
      {
        name: 'hospital-c',
        role: 'trainer',
        patients: 5,
        train: cohort(...radiopaedia),
        test: cohort('radiopaedia_7_85703_0'),
      },
      {
        name: 'external',
        role: 'validator',
        patients: 0,
        train: null,
        test: cohort(...corona(7), 'radiopaedia_7_85703_0'),
      },
      { name: 'auditor', role: 'observer', patients: 0, train: null, test: null },
    ],
  };
}
