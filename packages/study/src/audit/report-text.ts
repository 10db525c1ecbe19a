import type { AuditFinding } from './audit-finding.ts';
import type { AuditedMember, AuditReport } from './audit-report.ts';
import { counted } from './counted.ts';
import type { Verdict, VerdictStatus } from './verdict.ts';

/** A status as people read it. */
export const statusWords: Readonly<Record<VerdictStatus, string>> = {
  holds: 'HOLDS',
  broken: 'BROKEN',
  'not-checked': 'NOT CHECKED',
};

const width = 100;

/** A report for people, as plain text of at most 100 columns. No control character of a study's texts reaches it. */
export function reportText(report: AuditReport): string {
  return [
    ...heading(report),
    '',
    'WHO CONTRIBUTED WHAT',
    ...report.members.flatMap(memberLines),
    '',
    'QUESTIONS',
    ...report.verdicts.flatMap((verdict, i) => verdictLines(i + 1, verdict)),
    '',
    'STATES OF THE ROUNDS, COMPUTED AGAIN',
    ...(report.rounds.length === 0 ? ['  none'] : []),
    ...report.rounds.map(({ round, digest }) => `  ${String(round).padStart(6)}  ${digest}`),
    '',
    'WHAT NO AUDIT CAN TELL',
    ...report.beyond.flatMap((text) => wrapped(text, '  - ', '    ')),
    '',
  ].join('\n');
}

/** The outcome in one sentence. */
export function outcomeOf({ isSound, verdicts, bundle }: AuditReport): string {
  const count = verdicts.reduce((sum, { findings }) => sum + findings.length, 0);
  if (!isSound) return `${counted(count, 'finding')}: what is named below does not hold.`;
  const open = verdicts.filter(({ status }) => status === 'not-checked').length;
  if (open === 0) return 'Nothing was found, and every question was answered.';
  const why = bundle.payloads ? '' : ' The bundle has no payloads.';
  return `Nothing was found. Not answered: ${open} of ${verdicts.length} questions, see why below.${why}`;
}

/** What a member gave, for people. */
export function contributionOf({ rounds, evaluations, spent }: AuditedMember): string {
  const updates =
    rounds.length === 0
      ? 'no updates'
      : `updates of ${counted(rounds.length, 'round')} (${ranges(rounds)})`;
  const privacy =
    spent === null ? '' : `, ε ${spent.epsilon.toFixed(3)} in ${counted(spent.steps, 'step')}`;
  return `${updates}, ${counted(evaluations, 'evaluation')}${privacy}`;
}

/** Where a finding stands, for people. */
export function placeOf({ site, index }: AuditFinding): string {
  if (site === null) return 'the bundle';
  return index === null ? `key ${site}` : `record ${index} of key ${site}`;
}

function heading(report: AuditReport): string[] {
  const { study, state, bundle } = report;
  return [
    'AUDIT REPORT                            Research use only: not a medical device.',
    '',
    ...wrapped(`study    ${study.name}`, '  ', '           '),
    `  id       ${study.id}`,
    `  privacy  ${privacyWords(report)}`,
    `  state    ${state.digest}`,
    `  bundle   ${bundle.bytes} bytes in ${counted(bundle.files, 'file')}, ${bundle.payloads ? 'with' : 'WITHOUT'} payloads`,
    '',
    ...wrapped(`OUTCOME  ${outcomeOf(report)}`, '', '         '),
  ];
}

/** What the study promises its patients, in a line. */
export function privacyWords({ study }: AuditReport): string {
  const { privacy } = study;
  if (privacy === null) return 'unknown';
  if (privacy.profile === 'off') return 'off: updates are NOT differentially private';
  return `${privacy.profile}: ε at most ${privacy.epsilon} at δ = ${privacy.delta}, for each patient of each site`;
}

function memberLines(member: AuditedMember): string[] {
  const { name, role, patients, site, keys, isRemoved } = member;
  const declared = role === 'trainer' ? `, ${counted(patients, 'patient')} declared` : '';
  return [
    `  ${name}: ${role}${declared}${isRemoved ? ', REMOVED' : ''}`,
    ...wrapped(contributionOf(member), '      ', '      '),
    ...(keys.length > 1 ? keys : [site]).map((key) => `      key ${key}`),
  ];
}

function verdictLines(number: number, verdict: Verdict): string[] {
  const { title, status, statement, findings, remarks } = verdict;
  return [
    `  ${String(number).padStart(2)}  ${statusWords[status].padEnd(12)} ${title}`,
    ...wrapped(statement, '      ', '      '),
    ...findings.flatMap((finding) => [
      `      FOUND ${finding.code}: ${placeOf(finding)}`,
      ...wrapped(finding.message, '            ', '            '),
    ]),
    ...remarks.flatMap((remark) => wrapped(remark, '      note  ', '            ')),
  ];
}

/** 1, 2, 3, 7 as `1-3, 7`. */
function ranges(rounds: readonly number[]): string {
  const sorted = rounds.toSorted((a, b) => a - b);
  const starts = sorted.filter((round, i) => sorted[i - 1] !== round - 1);
  const ends = sorted.filter((round, i) => sorted[i + 1] !== round + 1);
  return starts.map((from, i) => (from === ends[i] ? `${from}` : `${from}-${ends[i]}`)).join(', ');
}

function wrapped(text: string, first: string, next: string): string[] {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(' ')) {
    const isFull = line.length + word.length > width && line.trim() !== '';
    if (isFull) lines.push(line.trimEnd());
    line = isFull ? `${next}${word} ` : `${line}${word} `;
  }
  return [...lines, line.trimEnd()];
}
