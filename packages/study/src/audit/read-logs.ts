import { leafHash, TreeHasher } from '@consilium/log';
import {
  decodeEnvelope,
  openRecord,
  RecordError,
  type SiteId,
  type VerifiedRecord,
} from '@consilium/records';
import type { AuditFinding } from './audit-finding.ts';
import type { Bundle } from './bundle.ts';
import { authorOfName } from './bundle-index.ts';
import { counted } from './counted.ts';
import { decodeLogFile } from './log-file.ts';
import type { Answer } from './verdict.ts';

/** One author's log as a bundle has it. */
export interface BundleLog {
  readonly author: SiteId;
  /** What stands at each place of the file: a record whose every rule that can be checked alone holds, or null. */
  readonly entries: readonly (VerifiedRecord | null)[];
  /** The author's records from index 0 on, as far as they are there without a gap. */
  readonly records: readonly VerifiedRecord[];
  /** RFC 6962 roots (hexadecimal): at i, that over the first i + 1 of them. */
  readonly roots: readonly string[];
}

/** Every log of a bundle, by author, and the second records of its forks. */
export interface BundleLogs {
  readonly logs: ReadonlyMap<SiteId, BundleLog>;
  readonly forks: readonly VerifiedRecord[];
}

/**
 * Opens every record of a bundle; what is wrong with one that cannot be opened goes into `answer`.
 * @throws {StudyError} `BUNDLE_DAMAGED`, `BUNDLE_FORMAT`.
 */
export async function readLogs(bundle: Bundle, answer: Answer): Promise<BundleLogs> {
  const logs = new Map<SiteId, BundleLog>();
  let records = 0;
  for (const { name } of bundle.filesIn('logs')) {
    const author = authorOfName('logs', name) ?? '';
    const entries = decodeLogFile(await bundle.read(name)).map((envelope, position) =>
      opened(envelope, author, position, answer),
    );
    records += entries.length;
    logs.set(author, logOf(author, entries));
  }
  const forks: VerifiedRecord[] = [];
  for (const { name } of bundle.filesIn('forks')) {
    const author = authorOfName('forks', name) ?? '';
    for (const envelope of decodeLogFile(await bundle.read(name))) {
      const verified = opened(envelope, author, null, answer);
      if (verified !== null) forks.push(verified);
    }
  }
  answer.state(
    `Opened: ${counted(records, 'record')} in ${counted(logs.size, 'log')}. Demanded of each: its one form in bytes, and a strict Ed25519 signature by its author.`,
  );
  return { logs, forks };
}

function opened(
  envelope: Uint8Array,
  author: SiteId,
  position: number | null,
  answer: Answer,
): VerifiedRecord | null {
  try {
    const verified = openRecord(envelope);
    const { record } = verified;
    if (!record.known) {
      const message = `a record of kind ${record.kind}, which this version does not know`;
      answer.find({ code: 'UNKNOWN_KIND', site: record.author, index: record.index, message });
    }
    return verified;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    answer.find({ ...faultOf(error, envelope), site: author, index: position });
    return null;
  }
}

function faultOf(error: RecordError, envelope: Uint8Array): Pick<AuditFinding, 'code' | 'message'> {
  if (error.code === 'SITE_ID') {
    const message = `a record names a key that proves nothing: ${error.message}`;
    return { code: 'UNSAFE_KEY', message };
  }
  if (error.code === 'SIGNER') return { code: 'BAD_SIGNATURE', message: error.message };
  if (error.code !== 'SIGNATURE') return { code: 'BAD_RECORD', message: error.message };
  if (isBeyondOrder(decodeEnvelope(envelope).signature)) {
    const message =
      'the signature’s S is not below the group’s order: a second form of a signature';
    return { code: 'MALLEATED_SIGNATURE', message };
  }
  return { code: 'BAD_SIGNATURE', message: error.message };
}

/** Order of the base point’s subgroup, 2^252 + 27742317777372353535851937790883648493. @see RFC 8032 §5.1 */
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

function isBeyondOrder(signature: Uint8Array): boolean {
  const s = Buffer.from(signature.subarray(32)).reverse().toString('hex');
  return BigInt(`0x${s}`) >= groupOrder;
}

function logOf(author: SiteId, entries: readonly (VerifiedRecord | null)[]): BundleLog {
  const byIndex = new Map<number, VerifiedRecord>();
  for (const verified of entries) {
    if (verified?.record.author !== author) continue;
    if (!byIndex.has(verified.record.index)) byIndex.set(verified.record.index, verified);
  }
  const records: VerifiedRecord[] = [];
  const roots: string[] = [];
  const tree = new TreeHasher();
  for (;;) {
    const next = byIndex.get(records.length);
    if (next === undefined) return { author, entries, records, roots };
    records.push(next);
    tree.append(leafHash(next.leaf));
    roots.push(Buffer.from(tree.root()).toString('hex'));
  }
}
