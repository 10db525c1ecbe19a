import type { Budget } from '@consilium/privacy';
import { openRecord, RecordError, type VerifiedRecord } from '@consilium/records';
import { StudyError } from '../error.ts';
import type { FindingCode } from '../finding.ts';
import { type Founding, found } from '../manifest.ts';
import type { Bundle } from './bundle.ts';
import { foundingName } from './bundle-index.ts';
import { counted } from './counted.ts';
import type { Evidence } from './evidence.ts';
import type { Answer } from './verdict.ts';

/** The record that founds a study, and what follows from it. */
export interface FoundingRecord {
  readonly manifest: VerifiedRecord;
  readonly founding: Founding;
}

/**
 * Opens the founding record of a bundle; null, with a finding, where there is no study.
 *
 * @param wanted the study that the auditor asked about (hexadecimal), or null
 * @throws {StudyError} `BUNDLE_DAMAGED`, `BUNDLE_FORMAT`.
 */
export async function readFounding(
  bundle: Bundle,
  wanted: string | null,
  answer: Answer,
): Promise<FoundingRecord | null> {
  const bad = (message: string): null => {
    answer.find({ code: 'BAD_FOUNDING', site: null, index: null, message });
    answer.state('The founding record founds no study: nothing else can be answered.');
    return null;
  };
  try {
    const manifest = openRecord(await bundle.read(foundingName));
    const { record } = manifest;
    if (!record.known || record.kind !== 'manifest') return bad(`it is of kind ${record.kind}`);
    const study = Buffer.from(manifest.id).toString('hex');
    if (study !== bundle.index.study) {
      return bad(`its record id is ${study}, the bundle is said to be of ${bundle.index.study}`);
    }
    if (wanted !== null && wanted !== study) {
      const message = `the bundle is of study ${study}, asked for was ${wanted}`;
      answer.find({ code: 'OTHER_STUDY', site: null, index: null, message });
    }
    return { manifest, founding: remembering(found(record.body)) };
  } catch (error) {
    if (error instanceof RecordError) return bad(error.message);
    if (error instanceof StudyError && error.code === 'BAD_MANIFEST') return bad(error.message);
    throw error;
  }
}

const rosterCodes: ReadonlySet<string> = new Set<FindingCode>([
  'ROSTER_APPROVALS',
  'ROSTER_CONFLICT',
  'ROSTER_RULE',
]);

/** Whether the founding record is the one in its author’s log, and whether members wanted every change of the roster. */
export function checkFounding(evidence: Evidence, answer: Answer): void {
  const { manifest, logs, history, decisions, founding } = evidence;
  const { author, index } = manifest.record;
  const inLog = logs.get(author)?.records[index];
  if (inLog !== undefined && Buffer.compare(inLog.id, manifest.id) !== 0) {
    const message = 'the founder’s log has another record where the founding record belongs';
    answer.find({ code: 'BAD_FOUNDING', site: author, index, message });
  }
  for (const finding of decisions.findings) if (rosterCodes.has(finding.code)) answer.find(finding);
  const members = founding.manifest.roster.length;
  answer.state(
    `The study id is that of the founding record, signed by ${author}. It names ${counted(members, 'member')}; then came ${counted(history.changes.length, 'change')} of the roster, signed by enough of them.`,
  );
}

/** The same founding, with a budget that computes each number of steps once: an audit asks for the same ones again and again. */
function remembering(founding: Founding): Founding {
  const { budget } = founding;
  if (budget === null) return founding;
  const known = new Map<number, number>();
  const epsilonAfter = (steps: number): number => {
    const epsilon = known.get(steps) ?? budget.epsilonAfter(steps);
    known.set(steps, epsilon);
    return epsilon;
  };
  const remembered: Budget = {
    cap: budget.cap,
    epsilonAfter,
    affords: (steps, more) => epsilonAfter(steps + more) <= budget.cap,
  };
  return { ...founding, budget: remembered };
}
