import type { AcceptedUpdate } from '../decide.ts';

/**
 * Every way in which some of these payloads can be missing, fewest first, and of equally many the newest first; at least one is.
 *
 * A site whose peers' records have come, and not all of their payloads, goes on without them after a round's deadline.
 */
export function* waysToLack(updates: readonly AcceptedUpdate[]): Generator<Set<AcceptedUpdate>> {
  const newest = updates.toSorted((a, b) => b.round - a.round);
  for (let count = 1; count <= newest.length; count++) {
    for (const some of combinations(newest, count)) yield new Set(some);
  }
}

function* combinations<T>(items: readonly T[], count: number, from = 0): Generator<T[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let i = from; i <= items.length - count; i++) {
    for (const rest of combinations(items, count - 1, i + 1)) yield [items[i] as T, ...rest];
  }
}
