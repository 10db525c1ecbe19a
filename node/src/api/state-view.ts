import type { EvaluationCell, LineageAnswer, StateAnswer, StateOutline } from '@consilium/client';
import type { SiteId } from '@consilium/records';
import type { StudyState } from '@consilium/study';
import { leastPublishedPatients } from '../recorded-evaluation.ts';

/** The fewest patients behind a figure that is shown. */
export const minimumCohort: number = leastPublishedPatients;

/** A site, by any of its keys, with its name for people; a site that is no member has none but its id. */
export function named(state: StudyState, site: SiteId): { site: SiteId; name: string } {
  const member = state.members.find(({ keys }) => keys.includes(site));
  return { site, name: member?.name ?? site };
}

export function outlineOf(state: StudyState, names: readonly string[]): StateOutline {
  const last = state.rounds.at(-1);
  return {
    digest: state.digest,
    names: [...names],
    rounds: state.rounds.length,
    isComplete: state.missing.length === 0,
    heads: [...state.heads],
    absent: (last?.absent ?? []).map((site) => named(state, site)),
  };
}

/** @param latest what is known now: evaluations of a state come after it */
export function stateAnswerOf(
  state: StudyState,
  latest: StudyState,
  names: readonly string[],
): StateAnswer {
  return {
    ...outlineOf(state, names),
    study: state.study,
    gridExponent: state.manifest.gridExponent,
    missing: state.missing.map(({ digest, bytes, site, round }) => ({
      ...named(state, site),
      round,
      payload: digest,
      bytes,
    })),
    participation: participationOf(state),
    evaluations: evaluationCells(latest, state.digest),
  };
}

/** Every round: whose update is in it, and who is absent. */
export function participationOf(state: StudyState): StateAnswer['participation'] {
  return state.rounds.map(({ round, updates, absent }) => ({
    round,
    given: updates.map(({ site, counted }) => ({ ...named(state, site), counted })),
    absent: absent.map((site) => named(state, site)),
  }));
}

export function lineageOf(state: StudyState): LineageAnswer {
  const { manifest, members, rounds } = state;
  return {
    study: state.study,
    digest: state.digest,
    initialWeights: Buffer.from(manifest.initialWeights.digest).toString('hex'),
    heads: [...state.heads],
    contributors: members
      .map(({ site, name, weight }) => ({
        site,
        name,
        weight,
        rounds: rounds
          .filter(({ updates }) => updates.some((update) => update.site === site && update.counted))
          .map(({ round }) => round),
      }))
      .filter((member) => member.rounds.length > 0),
    rounds: rounds.map(({ round, updates, absent }) => ({
      round,
      updates: updates.map(({ site, index, payload, payloadBytes, base, weight, counted }) => ({
        ...named(state, site),
        index,
        payload,
        bytes: payloadBytes,
        base,
        weight,
        counted,
      })),
      absent: absent.map((site) => named(state, site)),
    })),
  };
}

/**
 * What sites signed about states, or about one: of a site's evaluations of one state, the last. Where fewer patients than the {@link minimumCohort} stand behind a
 * figure, it is left out, and so is their number: a mean over one patient is that patient's.
 */
export function evaluationCells(latest: StudyState, digest: string | null): EvaluationCell[] {
  const cells = new Map<string, EvaluationCell>();
  for (const { site, index, round, state, patients, metrics } of latest.evaluations) {
    if (digest !== null && state !== digest) continue;
    const isSuppressed = patients < minimumCohort;
    const role = latest.members.find((member) => member.site === site)?.role ?? 'validator';
    const key = `${site} ${state}`;
    cells.set(key, {
      ...named(latest, site),
      role,
      state,
      round,
      index,
      isSuppressed,
      patients: isSuppressed ? null : patients,
      metrics: isSuppressed ? [] : metrics.map((metric) => ({ ...metric })),
    });
  }
  return [...cells.values()];
}
