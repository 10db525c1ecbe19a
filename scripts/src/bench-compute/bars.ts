import type { BenchCase } from './cases.ts';

/** The most that our peak memory may be of PyTorch's, each in a process that runs the one case. */
export const memoryBar = 1.2;

/** The most that our time may be of PyTorch's by the clock; null where none is promised. */
export function timeBarOf(
  { id, group }: Pick<BenchCase, 'id' | 'group'>,
  threads: number,
): number | null {
  if (group === 'read') return id === 'read-300x256' ? 0.9 : null;
  return threads === 1 ? 1.15 : 1.3;
}
