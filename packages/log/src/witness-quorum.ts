/**
 * How many *other* members have to cosign a log's checkpoint before it counts as witnessed, in a consortium of `members`
 * with its author: ⌊members / 2⌋ + 1, a strict majority of all, in which the author does not count for itself; but no more
 * than there are others.
 *
 * Guarantee: from 3 members on, any two quorums have at least two witnesses in common, and no smaller number has that
 * property. So an author who shows two stories finds a quorum for both only if at least two witnesses break their
 * word with it; one accomplice is not enough.
 *
 * Price: with 3 members both others must be there. Below 3 there is no such guarantee: 2 members have one witness, 1 has none.
 *
 * @throws {RangeError} when `members` is not a safe integer ≥ 1.
 */
export function witnessQuorum(members: number): number {
  if (!Number.isSafeInteger(members) || members < 1) {
    throw new RangeError(`a consortium has members, got ${members}`);
  }
  return Math.min(members - 1, Math.floor(members / 2) + 1);
}
