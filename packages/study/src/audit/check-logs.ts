import type { SiteId } from '@consilium/records';
import type { FindingCode } from '../finding.ts';
import { isRemoved } from '../roster.ts';
import type { Voice } from '../speech.ts';
import { counted } from './counted.ts';
import type { Evidence } from './evidence.ts';
import type { BundleLog } from './read-logs.ts';
import type { Answer } from './verdict.ts';

const chainCodes: ReadonlySet<string> = new Set<FindingCode>([
  'FORK',
  'SPLIT_VIEW',
  'BROKEN_CHAIN',
  'LOG_TOO_LONG',
]);

/**
 * Whether each log is one unbroken chain of records of this study, by a key that spoke for a member at the time, and the one that every other record was made from: the roots
 * that records name are computed again from the leaves, which shows inclusion and consistency at once.
 */
export function checkLogs(evidence: Evidence, answer: Answer): void {
  for (const log of evidence.logs.values()) {
    checkPlaces(log, answer);
    checkStudy(evidence, log, answer);
  }
  for (const finding of evidence.decisions.findings)
    if (chainCodes.has(finding.code)) answer.find(finding);
  checkSpeakers(evidence, answer);
  const named = checkNamedHeads(evidence, answer);
  const records = [...evidence.logs.values()].reduce((sum, { entries }) => sum + entries.length, 0);
  answer.state(
    `Followed: ${counted(records, 'record')} in ${counted(evidence.logs.size, 'chain')}. Computed again from the leaves: ${counted(named, 'log head')} that records name.`,
  );
}

function checkPlaces({ author, entries }: BundleLog, answer: Answer): void {
  let expected = 0;
  for (const verified of entries) {
    // What cannot be opened is reported as such, and takes one place.
    const index = verified?.record.author === author ? verified.record.index : expected;
    if (verified !== null && verified.record.author !== author) {
      const message = `a record of ${verified.record.author} lies in this log`;
      answer.find({ code: 'REPLAYED_RECORD', site: author, index: expected, message });
    } else if (index > expected) {
      const message = `record ${index} follows, ${index - expected} are missing`;
      answer.find({ code: 'GAP', site: author, index: expected, message });
    } else if (index < expected) {
      const message = `record ${index} stands again where record ${expected} belongs`;
      answer.find({ code: 'REPLAYED_RECORD', site: author, index: expected, message });
      continue;
    }
    expected = index + 1;
  }
}

function checkStudy(
  { study, founding }: Evidence,
  { author, entries }: BundleLog,
  answer: Answer,
): void {
  for (const verified of entries) {
    if (verified === null) continue;
    const { record, id } = verified;
    const named = record.study ?? id;
    if (Buffer.compare(named, study) === 0) continue;
    const message = `a record of the study ${hex(named).slice(0, 16)}…, not of ${founding.manifest.name}`;
    answer.find({ code: 'FOREIGN_RECORD', site: author, index: record.index, message });
  }
}

/** Whose logs these are, and whether anybody spoke on after the end of a key. */
function checkSpeakers({ history: { speeches }, logs }: Evidence, answer: Answer): void {
  const known = new Set(speeches.flatMap(({ voices }) => voices.map(({ key }) => key)));
  for (const author of logs.keys()) {
    if (known.has(author)) continue;
    const message = 'the key never spoke for a member';
    answer.find({ code: 'STRANGER_LOG', site: author, index: null, message });
  }
  for (const { member, voices } of speeches) {
    for (const [i, voice] of voices.entries()) {
      const isOpen = i === voices.length - 1 && !isRemoved(member);
      const beyond = isOpen ? 0 : recordsBeyond(voice, logs.get(voice.key));
      if (beyond === 0) continue;
      const message = `${counted(beyond, 'record')} after the end of this key of ${member.name}, without effect`;
      answer.find({ code: 'STALE_KEY', site: voice.key, index: voice.most, message });
    }
  }
}

function recordsBeyond({ most }: Voice, log: BundleLog | undefined): number {
  return Math.max(0, (log?.records.length ?? 0) - most);
}

/** How many heads were compared. */
function checkNamedHeads(evidence: Evidence, answer: Answer): number {
  const broken = new Set(answer.findings.map(({ site }) => site));
  const missing = new Map<SiteId, { by: SiteId; size: number }>();
  const differing = new Set<SiteId>();
  let compared = 0;
  for (const log of evidence.logs.values()) {
    for (const { record } of log.records) {
      for (const { author, size, root } of record.heads) {
        compared++;
        const here = evidence.logs.get(author);
        const known = here?.roots[size - 1];
        if (known === hex(root) || broken.has(author)) continue;
        if (known === undefined) {
          // An entry that stands there and cannot be opened is found elsewhere.
          if ((here?.entries.length ?? 0) >= size) continue;
          if (size > (missing.get(author)?.size ?? 0))
            missing.set(author, { by: log.author, size });
        } else if (!differing.has(log.author)) {
          differing.add(log.author);
          const message = `it was made from another log of ${author}, at size ${size}`;
          answer.find({ code: 'HEADS_DIFFER', site: log.author, index: record.index, message });
        }
      }
    }
  }
  for (const [author, { by, size }] of missing) {
    const here = evidence.logs.get(author)?.records.length ?? 0;
    if (here >= mostOf(evidence, author)) {
      answer.remark(
        `Records of ${author} from ${here} on are not in the bundle; they do not count, since its key had ended there.`,
      );
      continue;
    }
    const message = `${by} had ${counted(size, 'record')} of this log, the bundle has ${here}`;
    answer.find({ code: 'GAP', site: author, index: here, message });
  }
  return compared;
}

/** How many records of a key can count. */
function mostOf({ history }: Evidence, author: SiteId): number {
  const voices = history.speeches.flatMap((speech) => speech.voices);
  return voices.find(({ key }) => key === author)?.most ?? 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
