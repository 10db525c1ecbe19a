import { readFile } from 'node:fs/promises';
import { NodeError } from './error.ts';
import { exists, writeDurably } from './site-folder.ts';

/**
 * Remembers, durably and before anything is signed, which change this site approves for each number. Two changes with one number that both have enough
 * approvals would split the roster until one of them is built upon; a site that signs once for a number has no part in that.
 *
 * @param path of the memory's file
 * @param name study and number
 * @param id of the change
 * @throws {NodeError} `ROSTER_FILE` when another change was approved for the number, unless `instead` is its id.
 */
export async function rememberApproval(
  path: string,
  name: string,
  id: string,
  instead: string | null,
): Promise<void> {
  const known: Record<string, string> = (await exists(path))
    ? JSON.parse(await readFile(path, 'utf8'))
    : {};
  const before = Object.hasOwn(known, name) ? known[name] : undefined;
  if (before === id) return;
  if (before !== undefined && before !== instead) {
    throw new NodeError(
      'ROSTER_FILE',
      `this site has approved another change with this number: ${before}`,
      `if all agree to drop that one, add --instead-of ${before}`,
    );
  }
  await writeDurably(path, `${JSON.stringify({ ...known, [name]: id }, null, 2)}\n`);
}
