import type { EvaluationCell } from '@consilium/client';
import type { StudyState } from '@consilium/study';
import { type PrivacyView, privacyOf } from '../privacy-view.ts';
import { intendedUse, limits } from './model-metadata.ts';
import { evaluationCells, lineageOf, named } from './state-view.ts';

/** Rounds with absences that are listed one by one. */
const listedRounds = 50;

/**
 * A model card: what a state is, where it comes from, under which privacy, how well it does where, and what it is not for. The same from every node that holds
 * the same logs.
 *
 * @param latest what is known now: evaluations of a state come after it
 * @see Mitchell et al. 2019, Model Cards for Model Reporting
 */
export function modelCard(state: StudyState, latest: StudyState): string {
  const { manifest } = state;
  return [
    `# Model card: ${plain(manifest.name)}`,
    `**${intendedUse}**`,
    section('Identity', identity(state)),
    section('Intended use', [
      'Research on the study’s task, by people who can judge its output. Not for diagnosis, triage, treatment or any other decision about a patient, and not for',
      'software that makes one. A doctor who looks at its output looks at the scan first.',
    ]),
    section('Lineage', lineage(state)),
    section('Privacy', privacy(state, privacyOf(manifest))),
    section('Evaluation', evaluation(evaluationCells(latest, state.digest))),
    section(
      'Limits',
      limits.map((limit) => `- ${limit}`),
    ),
    section('How to check it', [
      'Whoever holds the logs and payloads up to the heads above computes the same weights, bit for bit, and the same digest. A node of the study does so at every start.',
    ]),
  ].join('\n\n');
}

function section(title: string, lines: readonly string[]): string {
  return [`## ${title}`, '', ...lines].join('\n');
}

function identity(state: StudyState): string[] {
  return table(
    ['', ''],
    [
      ['state', `\`${state.digest}\``],
      ['study', `\`${state.study}\``],
      ['rounds', `${state.rounds.length} of ${state.manifest.rounds.count}`],
      [
        'complete',
        state.missing.length === 0 ? 'yes' : `**NO: ${state.missing.length} payloads missing**`,
      ],
      ['shared weights', `${state.weights.length}, on a grid of 2^${state.manifest.gridExponent}`],
    ],
  );
}

function lineage(state: StudyState): string[] {
  const { contributors, initialWeights } = lineageOf(state);
  const incomplete = state.rounds.filter(({ absent }) => absent.length > 0);
  const shown = incomplete.slice(0, listedRounds);
  return [
    `Initial weights: payload \`${initialWeights}\`.`,
    '',
    ...table(
      ['contributor', 'site', 'weight in a round’s mean', 'rounds'],
      contributors.map(({ name, site, weight, rounds }) => [
        plain(name),
        `\`${site}\``,
        String(weight),
        String(rounds.length),
      ]),
    ),
    '',
    incomplete.length === 0
      ? 'No trainer is absent from any round.'
      : `**Trainers are absent from ${incomplete.length} of ${state.rounds.length} rounds:**`,
    ...shown.map(
      ({ round, absent }) =>
        `- round ${round}: ${absent.map((site) => plain(named(state, site).name)).join(', ')}`,
    ),
    ...(incomplete.length > shown.length
      ? [`- and ${incomplete.length - shown.length} more rounds`]
      : []),
    '',
    'Logs that it was computed from:',
    '',
    ...table(
      ['log', 'records', 'root'],
      state.heads.map(({ author, size, root }) => [
        plain(named(state, author).name),
        String(size),
        `\`${root}\``,
      ]),
    ),
  ];
}

function privacy(state: StudyState, { profile, meaning, policy }: PrivacyView): string[] {
  if (policy === null) return [`Profile **${profile}**: ${meaning}.`];
  const spent = state.members.flatMap(({ name, spending }) =>
    spending === null
      ? []
      : [
          [
            plain(name),
            spending.epsilon.toFixed(3),
            String(policy.epsilon),
            String(spending.steps),
          ],
        ],
  );
  return [
    `Profile **${profile}**: ${meaning}.`,
    '',
    `For one patient of one site, added or removed, at δ = ${policy.delta}, recomputed from the logs that this state was computed from:`,
    '',
    ...table(['site', 'ε spent', 'ε at most', 'private steps'], spent),
  ];
}

function evaluation(cells: readonly EvaluationCell[]): string[] {
  if (cells.length === 0) return ['**Nobody has evaluated this state.**'];
  return [
    'Means over each site’s own held-out patients with 95 % intervals, as the site signed them. A validator never trained: its figures are external.',
    '',
    ...table(
      ['site', 'role', 'patients (rounded)', 'metric', 'value', '95 % interval'],
      cells.flatMap(({ name, role, patients, isSuppressed, metrics }) =>
        isSuppressed
          ? [[plain(name), role, 'too few to show', '', '', '']]
          : metrics.map((metric) => [
              plain(name),
              role,
              String(patients),
              metric.name,
              figure(metric.value),
              metric.low === null || metric.high === null
                ? '–'
                : `${figure(metric.low)} – ${figure(metric.high)}`,
            ]),
      ),
    ),
  ];
}

function figure(value: number): string {
  return value.toFixed(3);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

/** A name that somebody chose, as text that means nothing in Markdown or HTML. */
function plain(name: string): string {
  return name.replace(/[\\`*_{}[\]<>()#+!|&~]/g, '\\$&');
}
