import { decide } from '../decide.ts';
import { StudyFold } from '../replay.ts';
import type { AuditOptions } from './audit-progress.ts';
import {
  type AuditedRound,
  type AuditReport,
  auditedMembers,
  beyondAnAudit,
} from './audit-report.ts';
import { Bundle, type BundleBytes } from './bundle.ts';
import { checkFounding, type FoundingRecord, readFounding } from './check-founding.ts';
import { checkLogs } from './check-logs.ts';
import { checkModel } from './check-model.ts';
import { checkPrivacy, checkUpdates } from './check-records.ts';
import { checkRest } from './check-rest.ts';
import { checkWitnesses } from './check-witnesses.ts';
import type { Evidence } from './evidence.ts';
import { readLogs } from './read-logs.ts';
import { type Answers, openAnswers, type VerdictName, verdictNames } from './verdict.ts';

export interface VerifyInit {
  /** The study that is asked about: record id of its manifest, hexadecimal. @default whichever the bundle is of */
  readonly study?: string;
}

/**
 * Checks a bundle without asking anybody: who said what, whether every rule was kept, and that the state which it shows is just what the signed updates make.
 *
 * Every byte of the bundle is looked at. Memory grows with the number of records and with the size of one round's sums, not with the bundle's payloads.
 *
 * @throws {StudyError} `BUNDLE_FORMAT` or `BUNDLE_DAMAGED` when the bytes are no bundle, or not as they were written: then nothing is known.
 * @throws the signal's reason.
 */
export async function verifyBundle(
  bytes: BundleBytes,
  init: VerifyInit = {},
  options: AuditOptions = {},
): Promise<AuditReport> {
  const bundle = await Bundle.open(bytes);
  const answers = openAnswers();
  const founded = await readFounding(bundle, init.study ?? null, answers.founding);
  if (founded === null) {
    await checkRest(bundle, null, answers.payloads);
    return report(bundle, bytes.size, answers, null, []);
  }
  const evidence = await gather(bundle, founded, answers);
  checkFounding(evidence, answers.founding);
  checkLogs(evidence, answers.logs);
  await checkWitnesses(evidence, answers.witnesses);
  checkUpdates(evidence, answers.updates);
  checkPrivacy(evidence, answers.privacy);
  const rounds = await checkModel(evidence, answers, options, bytes.size);
  await checkRest(bundle, evidence, answers.payloads);
  options.onProgress?.({ doneBytes: bytes.size, totalBytes: bytes.size });
  return report(bundle, bytes.size, answers, evidence, rounds);
}

/** Opens every record, and folds them. */
async function gather(
  bundle: Bundle,
  { manifest, founding }: FoundingRecord,
  answers: Answers,
): Promise<Evidence> {
  const { logs, forks } = await readLogs(bundle, answers.signatures);
  const study = manifest.id;
  const fold = new StudyFold(study);
  fold.add(manifest);
  for (const { entries } of logs.values()) {
    for (const verified of entries) if (verified !== null) fold.add(verified);
  }
  for (const verified of forks) fold.add(verified);
  const history = fold.roster();
  if (history === null) throw new RangeError('a fold that has its manifest has a roster');
  const decisions = decide(founding, study, history);
  return { bundle, study, manifest, founding, logs, history, decisions };
}

function report(
  bundle: Bundle,
  bytes: number,
  answers: Answers,
  evidence: Evidence | null,
  rounds: readonly AuditedRound[],
): AuditReport {
  const { index } = bundle;
  const verdicts = verdictNames.map((name: VerdictName) => answers[name].verdict());
  return {
    format: 'consilium audit report',
    version: 1,
    isSound: verdicts.every(({ status }) => status !== 'broken'),
    bundle: { bytes, files: index.files.length + 1, payloads: index.payloads },
    study: {
      id: index.study,
      name: evidence?.founding.manifest.name ?? '',
      privacy: evidence?.founding.manifest.privacy ?? null,
    },
    state: { digest: index.state.digest, logs: index.state.heads.length },
    members: evidence === null ? [] : auditedMembers(evidence),
    rounds,
    verdicts,
    beyond: beyondAnAudit,
  };
}
