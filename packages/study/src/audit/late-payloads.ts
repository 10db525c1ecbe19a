import type { SiteId } from '@consilium/records';
import type { AcceptedUpdate } from '../decide.ts';

/** Of one site, so many of the newest payloads may not have come yet. */
const mostLate = 3;
/** Ways to lack some that are tried. */
const mostWays = 100;

/**
 * The updates without some of other sites’ newest ones, by how many: what a site can have had whose peers’ records had come and not all of their payloads. After
 * a round’s deadline it goes on without them.
 *
 * @param author the site in question, whose own payloads it has
 */
export function withoutSome(
  updates: readonly AcceptedUpdate[],
  author: SiteId,
): AcceptedUpdate[][] {
  const newest = [...Map.groupBy(updates, (update) => update.author)]
    .filter(([other]) => other !== author)
    .map(([, ofOther]) => ofOther.toSorted((a, b) => b.round - a.round).slice(0, mostLate));
  return waysOf(newest).map((late) => updates.filter((update) => !late.has(update)));
}

/** Every way to take some of each list, fewest first, none of all left out. */
function waysOf(lists: readonly (readonly AcceptedUpdate[])[]): Set<AcceptedUpdate>[] {
  let ways: AcceptedUpdate[][] = [[]];
  for (const list of lists) {
    const parts = subsets(list);
    ways = ways
      .flatMap((way) => parts.map((part) => [...way, ...part]))
      .sort((a, b) => a.length - b.length)
      .slice(0, 8 * mostWays);
  }
  return ways
    .filter(({ length }) => length > 0)
    .slice(0, mostWays)
    .map((way) => new Set(way));
}

function subsets(list: readonly AcceptedUpdate[]): AcceptedUpdate[][] {
  let sets: AcceptedUpdate[][] = [[]];
  for (const update of list) sets = sets.flatMap((set) => [set, [...set, update]]);
  return sets;
}
