import type { EquivocationBody, SiteId } from '@consilium/records';
import type { MemberState, StudyFold, StudyState } from '@consilium/study';
import type { Author } from '../author.ts';
import type { Logger } from '../logger.ts';

/** What is proven against a site: nothing of its log counts from `index` on. */
export interface Charge {
  readonly site: SiteId;
  readonly index: number;
  readonly body: EquivocationBody;
}

/** Says in this site's own log what is proven against another, so that every member hears it and the study leaves out what does not count. */
export class Accuser {
  readonly #proven: () => readonly Charge[];
  readonly #logger: Pick<Logger, 'error'>;
  /** What was said in this run. */
  readonly #said = new Set<string>();

  /** @param proven what this node can prove by what it holds */
  constructor(proven: () => readonly Charge[], logger: Pick<Logger, 'error'>) {
    this.#proven = proven;
    this.#logger = logger;
  }

  /** Whether there may be anything to say. */
  hasWork(fold: Pick<StudyFold, 'accusations'>): boolean {
    return this.#proven().length > 0 || fold.accusations().some(({ isCarried }) => !isCarried);
  }

  /** Says what everybody would not hear otherwise. Whether it said anything. */
  async say(
    author: Pick<Author, 'say'>,
    fold: Pick<StudyFold, 'accusations'>,
    { findings, heads }: Pick<StudyState, 'findings' | 'heads'>,
    self: Pick<MemberState, 'isHeard'>,
  ): Promise<boolean> {
    if (!self.isHeard) return false;
    let hasSpoken = false;
    for (const { site, index, body } of newCharges(this.#proven(), fold, findings)) {
      const name = `${site} ${index}`;
      if (this.#said.has(name)) continue;
      this.#said.add(name);
      await author.say({ kind: 'equivocation', body }, heads);
      this.#logger.error(
        { site, index },
        'a split view was proven: all members are told, and nothing of that log counts from there on',
      );
      hasSpoken = true;
    }
    return hasSpoken;
  }
}

/** What is proven here, or stands in a log that not everybody will get, and is not surpassed by what everybody knows or will know. */
function newCharges(
  proven: readonly Charge[],
  fold: Pick<StudyFold, 'accusations'>,
  findings: StudyState['findings'],
): Charge[] {
  const known = fold.accusations();
  const carried = known.filter(({ isCarried }) => isCarried);
  const forks = findings.filter(({ code }) => code === 'FORK');
  return [...proven, ...known.filter(({ isCarried }) => !isCarried)].filter(
    ({ site, index }) =>
      !carried.some((each) => each.site === site && each.index <= index) &&
      !forks.some((each) => each.site === site && (each.index ?? 0) <= index),
  );
}
