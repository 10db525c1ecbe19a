import { access, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NodeError } from './error.ts';

/** Where everything of one site lies. The folder is the site: copy it with the node stopped, and the site moves. */
export interface SiteFolder {
  readonly root: string;
  readonly config: string;
  /** The site's secret key, mode 0600. */
  readonly key: string;
  /** The key that the site hands on to, until a member has let it in. */
  readonly nextKey: string;
  /** The key before the last rotation; to be deleted once every member knows the present one. */
  readonly oldKey: string;
  /** Changes of the roster that the running node is to say. */
  readonly outbox: string;
  /** Which changes of the roster this site has approved, one for each number. */
  readonly approvals: string;
  /** The manifest's envelope, as the founder handed it out. */
  readonly study: string;
  readonly store: string;
  readonly blobs: string;
  /** What training keeps between rounds; never leaves the site. */
  readonly training: string;
  /** Process id and HTTP address of the running node; absent while none runs. */
  readonly running: string;
}

export function siteFolder(root: string): SiteFolder {
  return {
    root,
    config: join(root, 'consilium.yaml'),
    key: join(root, 'site.key'),
    nextKey: join(root, 'site.key.next'),
    oldKey: join(root, 'site.key.old'),
    outbox: join(root, 'outbox'),
    approvals: join(root, 'approvals.json'),
    study: join(root, 'study.cbor'),
    store: join(root, 'store'),
    blobs: join(root, 'blobs'),
    training: join(root, 'training'),
    running: join(root, 'node.json'),
  };
}

/** Whether something lies at `path`. */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/**
 * Writes a whole file or nothing: temporary file, fsync, rename, fsync of the folder.
 * @throws {NodeError} `DISK_FULL`.
 */
export async function writeDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await using file = await open(temporary, 'w', 0o600);
    await file.writeFile(bytes);
    await file.sync();
    await rename(temporary, path);
    await using folder = await open(dirname(path), 'r');
    await folder.sync();
  } catch (cause) {
    await rm(temporary, { force: true });
    if (isErrno(cause, 'ENOSPC') || isErrno(cause, 'EDQUOT')) {
      throw new NodeError(
        'DISK_FULL',
        `no space left for ${path}`,
        'free some space and start the node again; nothing that was acknowledged is lost',
        { cause },
      );
    }
    throw cause;
  }
}

/** What a running node wrote about itself, or null. A file left by a killed node is told apart by asking its address. */
export async function readRunning(
  folder: SiteFolder,
): Promise<{ pid: number; http: string } | null> {
  if (!(await exists(folder.running))) return null;
  try {
    const { pid, http } = JSON.parse(await readFile(folder.running, 'utf8'));
    return typeof pid === 'number' && typeof http === 'string' ? { pid, http } : null;
  } catch (error) {
    // Half of a file, from a node that was killed while it wrote: as good as none.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export async function writeRunning(folder: SiteFolder, http: string): Promise<void> {
  await writeFile(folder.running, JSON.stringify({ pid: process.pid, http }));
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
