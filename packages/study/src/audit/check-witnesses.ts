import {
  type Cosignature,
  LogError,
  openCheckpoint,
  openCosignature,
  signaturesOf,
  type VerifiedCheckpoint,
} from '@consilium/log';
import { RecordError, type SiteId } from '@consilium/records';
import { logKeyOf, verifyNote, witnessKeyOf } from '../log-name.ts';
import { isRemoved } from '../roster.ts';
import type { Speech } from '../speech.ts';
import { checkpointFileName } from './bundle-index.ts';
import { counted } from './counted.ts';
import { type Evidence, nameOf } from './evidence.ts';
import type { Answer } from './verdict.ts';

/** How far a log is witnessed. */
interface Watched {
  /** Records under the longest checkpoint that enough members cosigned; 0 for none. */
  readonly size: number;
  /** Other members that cosigned the longest of all. */
  readonly cosigners: number;
}

/**
 * Whether enough other members cosigned every log at least as far as its updates reach that are in the model, and whether each checkpoint is signed and is of just the log that the
 * bundle shows.
 *
 * Whoever is or was a member may have cosigned; each member counts once, and not for a log of its own.
 */
export async function checkWitnesses(evidence: Evidence, answer: Answer): Promise<void> {
  const watched = new Map<SiteId, Watched>();
  let notes = 0;
  for (const { name } of evidence.bundle.filesIn('checkpoints')) {
    const author = name.split('/')[1] ?? '';
    const checkpoint = openedNote(evidence, author, await evidence.bundle.read(name), answer);
    notes++;
    if (checkpoint === null) continue;
    const { size } = checkpoint;
    if (name !== checkpointFileName(author, size)) {
      const message = `${name} is a checkpoint of ${counted(size, 'record')}`;
      answer.find({ code: 'BAD_CHECKPOINT', site: author, index: null, message });
    }
    const cosigners = cosignersOf(evidence, author, checkpoint, answer);
    const before = watched.get(author)?.size ?? 0;
    const isEnough = cosigners >= quorumOf(evidence, author);
    watched.set(author, { size: isEnough ? Math.max(size, before) : before, cosigners });
  }
  const { quorum } = evidence.founding.manifest.witnesses;
  if (quorum === 0) {
    answer.leaveOpen(
      'The manifest asks for no witnesses: nobody but its author vouches for a log.',
    );
    return;
  }
  const unwitnessed = checkQuorum(evidence, watched, answer);
  if (unwitnessed > 0) {
    answer.remark(
      `Not witnessed yet, at the ends of logs: ${counted(unwitnessed, 'record')}. No update in the model is among them, unless a finding says so.`,
    );
  }
  answer.state(
    `Verified, with all cosignatures: ${counted(notes, 'checkpoint')}. Members that have to cosign, beside the author: ${quorum}.`,
  );
}

function openedNote(
  { study, logs }: Evidence,
  author: SiteId,
  note: Uint8Array,
  answer: Answer,
): VerifiedCheckpoint | null {
  const at = { site: author, index: null };
  try {
    const checkpoint = openCheckpoint(note, logKeyOf(study, author), verifyNote);
    const { records = [], entries = [], roots = [] } = logs.get(author) ?? {};
    const { size, root } = checkpoint;
    if (size > records.length) {
      // What stands there and cannot be opened is found elsewhere.
      if (entries.length >= size) return null;
      const message = `the key signed a log of ${counted(size, 'record')}, the bundle has ${records.length}`;
      answer.find({ code: 'GAP', site: author, index: records.length, message });
      return null;
    }
    if (size > 0 && roots[size - 1] !== Buffer.from(root).toString('hex')) {
      const message = `the key signed another log of ${counted(size, 'record')} than the bundle shows`;
      answer.find({ code: 'CHECKPOINT_DIFFERS', site: author, index: size - 1, message });
      return null;
    }
    return checkpoint;
  } catch (error) {
    if (!(error instanceof LogError || error instanceof RecordError)) throw error;
    answer.find({ code: 'BAD_CHECKPOINT', ...at, message: error.message });
    return null;
  }
}

/** How many other members cosigned a checkpoint, by any key that spoke for them. */
function cosignersOf(
  { study, history }: Evidence,
  author: SiteId,
  checkpoint: VerifiedCheckpoint,
  answer: Answer,
): number {
  return othersThan(history.speeches, author).filter(({ voices }) =>
    voices.some(({ key }) => cosigned(study, author, checkpoint, key, answer) !== null),
  ).length;
}

function cosigned(
  study: Uint8Array,
  author: SiteId,
  checkpoint: VerifiedCheckpoint,
  witness: SiteId,
  answer: Answer,
): Cosignature | null {
  const key = witnessKeyOf(study, witness);
  try {
    const [last] = signaturesOf(checkpoint.note, key)
      .map((signature) => openCosignature(checkpoint, signature, key, verifyNote))
      .slice(-1);
    return last ?? null;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    const message = `a cosignature at size ${checkpoint.size} in the name of ${witness}: ${error.message}`;
    answer.find({ code: 'BAD_COSIGNATURE', site: author, index: checkpoint.size - 1, message });
    return null;
  }
}

/** The manifest’s number, or all other members where there are fewer. */
function quorumOf({ founding, history }: Evidence, author: SiteId): number {
  const present = othersThan(history.speeches, author).filter(({ member }) => !isRemoved(member));
  return Math.min(founding.manifest.witnesses.quorum, present.length);
}

function othersThan(speeches: readonly Speech[], author: SiteId): Speech[] {
  return speeches.filter(({ voices }) => !voices.some(({ key }) => key === author));
}

/** How many records that count lie behind what is witnessed. */
function checkQuorum(
  evidence: Evidence,
  watched: ReadonlyMap<SiteId, Watched>,
  answer: Answer,
): number {
  const { history, decisions } = evidence;
  const updates = Map.groupBy(decisions.updates, ({ author }) => author);
  let behind = 0;
  for (const { key, records } of history.speeches.flatMap(({ voices }) => voices)) {
    const { size, cosigners } = watched.get(key) ?? { size: 0, cosigners: 0 };
    const wanted = quorumOf(evidence, key);
    if (wanted === 0) continue;
    behind += Math.max(0, records.length - size);
    const [first, ...others] = (updates.get(key) ?? []).filter(({ index }) => index >= size);
    if (first === undefined) continue;
    const message = `in the model, and not under a checkpoint that ${counted(wanted, 'other')} cosigned: ${counted(1 + others.length, 'update')} of ${nameOf(evidence, key)}; the newest checkpoint has ${counted(cosigners, 'cosigner')}`;
    answer.find({ code: 'MISSING_QUORUM', site: key, index: first.index, message });
  }
  return behind;
}
