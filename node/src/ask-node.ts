import { loadKey } from '@consilium/records';
import { localToken } from './api/tokens.ts';
import { NodeError } from './error.ts';
import { readRunning, type SiteFolder } from './site-folder.ts';

/**
 * Asks the node that runs in `folder`, or returns null when none does. A file that a killed node left behind counts as none.
 * @throws {NodeError} `STUDY_MISSING` when the node cannot answer yet.
 */
export async function askNode(folder: SiteFolder, path: string): Promise<Uint8Array | null> {
  const running = await readRunning(folder);
  if (running === null) return null;
  let response: Response;
  try {
    response = await fetch(`${running.http}${path}`, {
      headers: { authorization: `Bearer ${localToken(await loadKey(folder.key), running.pid)}` },
      signal: AbortSignal.timeout(30_000),
    });
  } catch (error) {
    // Nobody listens there any more: the tools then read the disk, whose lock tells if that is wrong.
    if (error instanceof TypeError) return null;
    throw error;
  }
  if (!response.ok)
    throw new NodeError(
      'STUDY_MISSING',
      `the node answered ${response.status}: ${(await response.text()).trim()}`,
      'wait until it has the study’s initial weights; `consilium status` shows how far it is',
    );
  return new Uint8Array(await response.arrayBuffer());
}
