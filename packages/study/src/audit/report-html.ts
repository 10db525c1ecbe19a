import type { AuditedMember, AuditReport } from './audit-report.ts';
import { counted } from './counted.ts';
import { contributionOf, outcomeOf, placeOf, privacyWords, statusWords } from './report-text.ts';
import type { Verdict } from './verdict.ts';

/**
 * A report for people, as one page that needs nothing else: no script, no picture, nothing from a network. It prints in black and white, and every text of a study is escaped.
 */
export function reportHtml(report: AuditReport): string {
  const { study, state, bundle, members, verdicts, rounds, beyond } = report;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Audit report: ${escaped(study.name)}</title>
<style>
body { font: 11pt/1.45 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #111; }
code, .id { font: 0.8em/1.4 monospace; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid #bbb; }
.outcome { border: 2px solid #111; padding: 0.6rem 0.9rem; font-weight: bold; }
.status { white-space: nowrap; font-weight: bold; } .broken { text-decoration: underline; }
.note { color: #444; } article { break-inside: avoid; margin: 1rem 0; } ul { padding-left: 1.2rem; }
@media print { body { margin: 0; max-width: none; } }
</style>
<h1>Audit report</h1>
<p>Research use only: not a medical device.</p>
<table>
${row('Study', escaped(study.name))}
${row('Study id', code(study.id))}
${row('Privacy', escaped(privacyWords(report)))}
${row('State', code(state.digest))}
${row('Bundle', `${bundle.bytes} bytes in ${counted(bundle.files, 'file')}, ${bundle.payloads ? 'with' : 'without'} payloads`)}
</table>
<p class="outcome">${escaped(outcomeOf(report))}</p>
<h2>Who contributed what</h2>
<table>
<tr><th>Member<th>Role<th>Contribution<th>Keys</tr>
${members.map(memberRow).join('\n')}
</table>
<h2>Questions</h2>
${verdicts.map(verdictArticle).join('\n')}
<h2>States of the rounds, computed again</h2>
${rounds.length === 0 ? '<p>None.</p>' : `<table>\n${rounds.map(({ round, digest }) => row(`${round}`, code(digest))).join('\n')}\n</table>`}
<h2>What no audit can tell</h2>
<ul>
${beyond.map((text) => `<li>${escaped(text)}</li>`).join('\n')}
</ul>
</html>
`;
}

function memberRow(member: AuditedMember): string {
  const { name, role, patients, keys, isRemoved } = member;
  const declared = role === 'trainer' ? `, ${counted(patients, 'patient')} declared` : '';
  const cells = [
    escaped(name),
    `${role}${declared}${isRemoved ? ', removed' : ''}`,
    escaped(contributionOf(member)),
    keys.map(code).join('<br>'),
  ];
  return `<tr>${cells.map((cell) => `<td>${cell}`).join('')}</tr>`;
}

function verdictArticle(
  { title, status, statement, findings, remarks }: Verdict,
  i: number,
): string {
  const found = findings.map(
    (finding) =>
      `<li><b>${finding.code}</b>, ${escaped(placeOf(finding))}: ${escaped(finding.message)}</li>`,
  );
  const notes = remarks.map((remark) => `<p class="note">Note: ${escaped(remark)}</p>`);
  return `<article>
<p>${i + 1}. <b>${escaped(title)}</b>: <span class="status ${status}">${statusWords[status]}</span></p>
<p>${escaped(statement)}</p>
${found.length === 0 ? '' : `<ul>\n${found.join('\n')}\n</ul>`}${notes.join('\n')}
</article>`;
}

function row(name: string, value: string): string {
  return `<tr><th>${escaped(name)}<td>${value}</tr>`;
}

function code(text: string): string {
  return `<code>${escaped(text)}</code>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
