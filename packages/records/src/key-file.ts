import { link, mkdtemp, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RecordError } from './error.ts';
import { publicKeyOf } from './site-id.ts';
import { keyFromSeed, type SiteKey } from './site-key.ts';

const FORMAT = 'consilium-site-key/1';
const MAX_KEY_FILE_BYTES = 1024;
/** Three lines: format, site id, 32-byte seed in hexadecimal. */
const KEY_FILE = /^([^\n]+)\n([^\n]+)\n([0-9a-f]{64})\n$/;

/**
 * Writes a key to a new file that only its owner may read (mode 0600), durable when the promise resolves.
 * A crash leaves no file or the whole one. An existing file is never replaced.
 *
 * @throws {RecordError} `KEY_FILE_EXISTS`.
 */
export async function saveKey(path: string, key: SiteKey): Promise<void> {
  // A folder of our own (mode 0700) beside the target: nobody else can race for the temporary name.
  const folder = await mkdtemp(`${path}.`);
  try {
    const temporary = join(folder, 'key');
    await writeDurably(temporary, encodeKey(key));
    await linkNew(temporary, path);
  } finally {
    await rm(folder, { recursive: true });
  }
  await syncFolder(dirname(path));
}

/**
 * Reads a key that {@link saveKey} wrote.
 *
 * @throws {RecordError} `KEY_FILE_MISSING`; `KEY_FILE_MODE` unless it is a regular file of mode 0600;
 *   `KEY_FILE_CONTENT` when it is damaged or belongs to another site than it says.
 */
export async function loadKey(path: string): Promise<SiteKey> {
  return decodeKey(await readPrivately(path), path);
}

function encodeKey(key: SiteKey): string {
  return `${FORMAT}\n${key.id}\n${Buffer.from(key.secretKey.subarray(0, 32)).toString('hex')}\n`;
}

function decodeKey(content: string, path: string): SiteKey {
  const [, format, id, seed] = KEY_FILE.exec(content) ?? [];
  // No cause and no excerpt: the content is the secret.
  if (format !== FORMAT || id === undefined || seed === undefined) {
    throw new RecordError('KEY_FILE_CONTENT', `${path} is not a ${FORMAT} file`);
  }
  const key = keyFromSeed(new Uint8Array(Buffer.from(seed, 'hex')));
  publicKeyOf(key.id);
  if (key.id !== id) {
    throw new RecordError(
      'KEY_FILE_CONTENT',
      `${path} holds the key of another site than it names`,
    );
  }
  return key;
}

async function writeDurably(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.chmod(0o600); // whatever the umask
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function linkNew(from: string, to: string): Promise<void> {
  try {
    // link and not rename: rename would replace an existing key.
    await link(from, to);
  } catch (cause) {
    if (!hasCode(cause, 'EEXIST')) throw cause;
    throw new RecordError('KEY_FILE_EXISTS', `${to} exists and is not replaced`, { cause });
  }
}

async function readPrivately(path: string): Promise<string> {
  const file = await openExisting(path);
  try {
    const stat = await file.stat();
    const mode = stat.mode & 0o7777;
    if (!stat.isFile() || mode !== 0o600) {
      const octal = mode.toString(8).padStart(4, '0');
      throw new RecordError(
        'KEY_FILE_MODE',
        `${path} has mode ${octal}, wanted a file of mode 0600: chmod 600 ${path}`,
      );
    }
    if (stat.size > MAX_KEY_FILE_BYTES) {
      throw new RecordError('KEY_FILE_CONTENT', `${path} is too large for a key file`);
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function openExisting(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    if (!hasCode(cause, 'ENOENT')) throw cause;
    throw new RecordError('KEY_FILE_MISSING', `there is no key file at ${path}`, { cause });
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
