import util from 'node:util';

/**
 * Gives `node:util` back the two functions that tfjs-node 4.22 calls and Node 23 removed (`isNullOrUndefined`, `isArray`); without
 * them every tensor that it makes ends in a TypeError. To be called before tfjs-node is imported; what is still there stays.
 * @see https://nodejs.org/api/deprecations.html DEP0044 and DEP0051
 */
export function restoreRemovedUtil(): void {
  const removed = {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
  };
  for (const [name, restored] of Object.entries(removed)) {
    if (!(name in util)) Object.defineProperty(util, name, { value: restored, configurable: true });
  }
}
