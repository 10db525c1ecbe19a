import type { AuditFinding } from './audit-finding.ts';

/** The questions that an audit answers, in their order. */
export const verdictNames = [
  'founding',
  'signatures',
  'logs',
  'witnesses',
  'updates',
  'privacy',
  'payloads',
  'noise',
  'weights',
  'lineage',
] as const;

export type VerdictName = (typeof verdictNames)[number];

/** `holds`: everything that was looked at is as it must be; `broken`: there are findings; `not-checked`: the question does not arise, or cannot be answered from this bundle. */
export type VerdictStatus = 'broken' | 'holds' | 'not-checked';

/** The answer to one question. */
export interface Verdict {
  readonly name: VerdictName;
  /** For people. */
  readonly title: string;
  readonly status: VerdictStatus;
  /** What was looked at, and with what result; one sentence, or why nothing was. */
  readonly statement: string;
  readonly findings: readonly AuditFinding[];
  /** What was not looked at, or is worth knowing, and is no finding. */
  readonly remarks: readonly string[];
}

const titles: Readonly<Record<VerdictName, string>> = {
  founding: 'Founding record and changes of the roster',
  signatures: 'Signatures',
  logs: 'Logs: chains, inclusion, consistency',
  witnesses: 'Witnesses',
  updates: 'One update per site and round',
  privacy: 'Privacy spent, against claim and cap',
  payloads: 'Payloads: digest, grid, finite values, norm',
  noise: 'Noise in private updates',
  weights: 'The published weights, computed again',
  lineage: 'Where every named state comes from',
};

/** Collects what one question brings to light. */
export class Answer {
  readonly name: VerdictName;
  readonly findings: AuditFinding[] = [];
  readonly remarks: string[] = [];
  #statement = 'Not looked at: what comes before it does not hold.';
  #isChecked = false;

  constructor(name: VerdictName) {
    this.name = name;
  }

  find(finding: AuditFinding): void {
    this.findings.push(finding);
  }

  remark(text: string): void {
    this.remarks.push(text);
  }

  /** Says what was looked at. */
  state(statement: string): void {
    this.#isChecked = true;
    this.#statement = statement;
  }

  /** Says why the question was left open. What was found all the same stays. */
  leaveOpen(reason: string): void {
    this.#isChecked = false;
    this.#statement = reason;
  }

  verdict(): Verdict {
    const { name, findings, remarks } = this;
    const status = findings.length > 0 ? 'broken' : this.#isChecked ? 'holds' : 'not-checked';
    return { name, title: titles[name], status, statement: this.#statement, findings, remarks };
  }
}

/** An answer to each question. */
export type Answers = Readonly<Record<VerdictName, Answer>>;

/** All of them, with nothing found so far: a question that nobody comes to stays open. */
export function openAnswers(): Answers {
  const answers = verdictNames.map((name): [VerdictName, Answer] => [name, new Answer(name)]);
  return Object.fromEntries(answers) as Record<VerdictName, Answer>;
}
