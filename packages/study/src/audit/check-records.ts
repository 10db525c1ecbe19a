import type { FindingCode } from '../finding.ts';
import { counted } from './counted.ts';
import type { Evidence } from './evidence.ts';
import type { Answer } from './verdict.ts';

const updateCodes: ReadonlySet<string> = new Set<FindingCode>([
  'NOT_A_TRAINER',
  'NOT_AN_EVALUATOR',
  'PAYLOAD_SIZE',
  'ROUND_OUT_OF_RANGE',
  'ROUND_REPEATED',
]);
const privacyCodes: ReadonlySet<string> = new Set<FindingCode>([
  'NOT_RESERVED',
  'OVER_BUDGET',
  'PRIVACY_CLAIM',
  'PRIVACY_PROFILE',
]);

/** Whether every update and evaluation is one that its author was to give, at most one update a site and round. */
export function checkUpdates({ decisions, history }: Evidence, answer: Answer): void {
  const { updates, evaluations, findings } = decisions;
  for (const finding of findings) if (updateCodes.has(finding.code)) answer.find(finding);
  const rounds = new Set(updates.map(({ round }) => round)).size;
  const sites = new Set(updates.map(({ site }) => site)).size;
  answer.state(
    `What counts: ${counted(updates.length, 'update')} of ${counted(sites, 'site')} in ${counted(rounds, 'round')}, and ${counted(evaluations.length, 'evaluation')}, by ${counted(history.speeches.length, 'member')}.`,
  );
}

/** Whether what each site reserved adds up to what it claims, within the cap, and pays for its updates. */
export function checkPrivacy({ decisions, founding }: Evidence, answer: Answer): void {
  for (const finding of decisions.findings)
    if (privacyCodes.has(finding.code)) answer.find(finding);
  const { privacy } = founding.manifest;
  if (privacy.profile === 'off') {
    answer.leaveOpen('The privacy profile is off: updates are not private, and nothing is spent.');
    return;
  }
  const spent = [...decisions.spending.values()].map(({ epsilon }) => epsilon);
  answer.state(
    `Composed again from the reservations of ${counted(spent.length, 'trainer')}, by Rényi differential privacy at δ = ${privacy.delta}: ε is at most ${Math.max(0, ...spent).toFixed(3)}, the cap is ${privacy.epsilon}.`,
  );
}
