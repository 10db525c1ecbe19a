import { type Hospital, hospitals, internalTest } from './hospitals.ts';
import type { Learner } from './learner.ts';

/** One figure of the tables: what is read by whom. Several learners make an ensemble. */
export interface Reading {
  readonly test: Hospital;
  readonly method: string;
  readonly learners: readonly Learner[];
}

export interface Plan {
  readonly learners: readonly Learner[];
  readonly readings: readonly Reading[];
}

/**
 * Everything that the benchmark trains and reads for one seed: on the internal patients each hospital alone, their ensemble, pooled, together; and for
 * each hospital as the one outside, the same of the other two on all of its patients.
 */
export function makePlan(): Plan {
  const alone = new Map(
    hospitals.map((hospital) => [
      hospital,
      { name: `alone/${hospital.name}`, method: 'alone', members: [hospital] } satisfies Learner,
    ]),
  );
  const learners: Learner[] = [...alone.values()];
  const readings: Reading[] = [];
  const settings = [
    { test: internalTest, members: hospitals },
    ...hospitals.map((test) => ({ test, members: hospitals.filter((each) => each !== test) })),
  ];
  for (const { test, members } of settings) {
    const names = members.map(({ name }) => name).join('');
    const singles = members.map((member) => alone.get(member) as Learner);
    const pooled: Learner = { name: `pooled/${names}`, method: 'pooled', members };
    const together: Learner = { name: `together/${names}`, method: 'together', members };
    learners.push(pooled, together);
    readings.push(
      ...singles.map((learner) => ({
        test,
        method: `alone ${learner.members[0]?.name}`,
        learners: [learner],
      })),
      { test, method: `ensemble ${names}`, learners: singles },
      { test, method: `pooled ${names}`, learners: [pooled] },
      { test, method: `together ${names}`, learners: [together] },
    );
  }
  return { learners, readings };
}
