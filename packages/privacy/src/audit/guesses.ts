/** What came out of guessing which canaries were included: all that the bounds of a one-run audit look at. */
export interface Guesses {
  /** Canaries, each included by a fair coin of its own. */
  readonly canaries: number;
  /** Canaries that were guessed about; the others were abstained from. At most `canaries`. */
  readonly guesses: number;
  /** Guesses that were right. */
  readonly correct: number;
}

/** How many guesses to make of either kind. Fix it before looking at the scores: the bounds do not pay for a choice. */
export interface GuessCount {
  /** The highest scores, guessed to be included. */
  readonly included: number;
  /** The lowest scores, guessed to be left out. */
  readonly excluded: number;
}

/**
 * Guesses that the canaries of the highest scores were included and those of the lowest were not, and counts what is right.
 * Of equal scores, the earlier canary counts as lower. Both arrays have one entry for each canary.
 *
 * @throws {RangeError} when the lengths differ, a score is NaN, or more guesses are asked for than there are canaries.
 * @see Steinke, Nasr and Jagielski 2023, Privacy Auditing with One (1) Training Run, Algorithm 1
 */
export function guessMembers(
  scores: ArrayLike<number>,
  included: readonly boolean[],
  count: GuessCount,
): Guesses {
  const canaries = scores.length;
  const guesses = count.included + count.excluded;
  if (included.length !== canaries) {
    throw new RangeError(`${canaries} scores do not fit ${included.length} canaries`);
  }
  if (!(count.included >= 0 && count.excluded >= 0 && guesses <= canaries)) {
    throw new RangeError(
      `${count.included} + ${count.excluded} guesses do not fit ${canaries} canaries`,
    );
  }
  const ranked = Array.from(scores, (score, canary) => ({ score, canary }));
  if (ranked.some(({ score }) => Number.isNaN(score))) throw new RangeError('a score is NaN');
  ranked.sort((a, b) => a.score - b.score || a.canary - b.canary);
  const isIncluded = ({ canary }: { canary: number }): boolean => included[canary] === true;
  const top = ranked.slice(canaries - count.included).filter(isIncluded).length;
  const bottom = count.excluded - ranked.slice(0, count.excluded).filter(isIncluded).length;
  return { canaries, guesses, correct: top + bottom };
}
