import { merkleRoot } from '@consilium/log';
import type { SiteId, VerifiedRecord } from '@consilium/records';
import { StudyError } from './error.ts';
import { StudyFold, type StudyState } from './replay.ts';

/** Where logs stood: as a state's `heads`, strictly ascending by author. */
export type Heads = StudyState['heads'];

/**
 * Where every log stood before its author went beyond `round`: each is cut before the first reservation or update of a later round that follows its last
 * accepted update of `round` or an earlier one, and a key that took over after the cut is left out. The state at these heads is *the state of the round*: its
 * weights are x₀ and the means of rounds 1 to `round`, over those who had become members by then. What is said later about these rounds, a late update above
 * all, changes it, as it changes every later state.
 *
 * Empty logs are left out; so is everything while the manifest is not here.
 *
 * @throws {RangeError} when `round` is not a whole number from 0 on.
 */
export function headsAt(fold: StudyFold, round: number): Heads {
  if (!Number.isSafeInteger(round) || round < 0) throw new RangeError(`no round is ${round}`);
  const accepted = fold.decisions()?.updates ?? [];
  return (fold.roster()?.speeches ?? [])
    .flatMap(({ member: { site }, voices }) => {
      const records = voices.flatMap((voice) => voice.records);
      const last = accepted.findLast((update) => update.site === site && update.round <= round);
      const from = records.findIndex(({ record }) => isAt(record, last)) + 1;
      const end = records.findIndex(({ record }, i) => i >= from && isBeyond(record, round));
      const kept = end < 0 ? records : records.slice(0, end);
      return voices.map(({ key }) =>
        headOf(
          key,
          kept.filter(({ record }) => record.author === key),
        ),
      );
    })
    .filter(({ size }) => size > 0)
    .sort((a, b) => (a.author < b.author ? -1 : 1));
}

/**
 * The fold that has what lies below `heads` and nothing else: its state is the one that whoever held just these logs had.
 *
 * @throws {StudyError} `HEADS_UNKNOWN` when `fold` does not hold one of these logs that far, or with another root: the records have not arrived, or a fork
 * was found since.
 */
export function foldAt(fold: StudyFold, study: Uint8Array, heads: Heads): StudyFold {
  const prefixes = fold.prefixes();
  const cut = new StudyFold(study);
  for (const { author, size, root } of heads) {
    const records = prefixes.get(author)?.slice(0, size) ?? [];
    if (records.length !== size || headOf(author, records).root !== root) {
      throw new StudyError('HEADS_UNKNOWN', `the log of ${author} is not known here at ${size}`);
    }
    for (const record of records) cut.add(record);
  }
  return cut;
}

function isAt(
  { author, index }: VerifiedRecord['record'],
  update: { author: SiteId; index: number } | undefined,
): boolean {
  return author === update?.author && index === update.index;
}

function isBeyond(record: VerifiedRecord['record'], round: number): boolean {
  if (!record.known) return false;
  return (record.kind === 'update' || record.kind === 'reserve') && record.body.round > round;
}

function headOf(author: SiteId, records: readonly VerifiedRecord[]): Heads[number] {
  const root = merkleRoot(records.map(({ leaf }) => leaf));
  return { author, size: records.length, root: Buffer.from(root).toString('hex') };
}
