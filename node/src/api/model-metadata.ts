import { profiles } from '@consilium/privacy';
import type { StudyState } from '@consilium/study';
import { evaluationCells, lineageOf } from './state-view.ts';

/** What every file and card says first. */
export const intendedUse = 'Research use only: not a medical device.';

/** What the model cannot be trusted with, for whoever takes it away. */
export const limits: readonly string[] = [
  'It was trained and evaluated on few patients of few hospitals; on scanners, protocols, populations and diseases that it has not seen it may fail without notice.',
  'The lesion output means something within the lung only; small, faint and atypical lesions are missed.',
  'Each hospital’s figures are its own word: they are signed, and nobody else can check them or the patients behind them.',
  'Corrections that belong to one hospital are not part of the model: as exported, they are zero.',
];

/**
 * What a file of a state's weights says about itself: texts by key, the same from every node that holds the same logs.
 *
 * @param latest what is known now: evaluations of a state come after it
 */
export function modelMetadata(state: StudyState, latest: StudyState): Record<string, string> {
  const { manifest } = state;
  return {
    study: state.study,
    study_name: manifest.name,
    state_digest: state.digest,
    grid_exponent: String(manifest.gridExponent),
    heads: JSON.stringify(state.heads),
    rounds: String(state.rounds.length),
    contributors: JSON.stringify(
      lineageOf(state).contributors.map(({ site, name, rounds }) => ({
        site,
        name,
        rounds: rounds.length,
      })),
    ),
    rounds_with_absent: JSON.stringify(
      state.rounds.filter(({ absent }) => absent.length > 0).map(({ round }) => round),
    ),
    evaluations: JSON.stringify(
      evaluationCells(latest, state.digest).map(({ site, name, role, patients, metrics }) => ({
        site,
        name,
        role,
        patients,
        metrics,
      })),
    ),
    ...privacyMetadata(state),
    task: JSON.stringify(manifest.task),
    intended_use: intendedUse,
    limits: limits.join('\n'),
  };
}

/** What whoever takes the model away should know about the patients behind it. */
function privacyMetadata({ manifest, members }: StudyState): Record<string, string> {
  const { privacy } = manifest;
  const told = {
    privacy_profile: privacy.profile,
    privacy_meaning: profiles[privacy.profile].meaning,
  };
  if (privacy.profile === 'off') return told;
  const spent = members.flatMap(({ name, spending }) =>
    spending === null ? [] : [[name, spending.epsilon] as const],
  );
  return {
    ...told,
    privacy_unit: 'one patient of one site, added or removed',
    privacy_epsilon_cap: String(privacy.epsilon),
    privacy_delta: String(privacy.delta),
    privacy_epsilon_spent: JSON.stringify(Object.fromEntries(spent)),
  };
}
