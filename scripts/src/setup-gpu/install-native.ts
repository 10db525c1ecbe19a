import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installEnvironment, type NativePackage, SetupError } from './native-package.ts';

export interface InstallInit {
  /** @default storage.googleapis.com, the package's own */
  readonly mirror?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs the package's own install script, whose output goes to this process's: it downloads TensorFlow's library and the prebuilt binding,
 * and places both inside the package.
 *
 * @throws {SetupError} when something is missing afterwards, whatever the script says of itself.
 */
export async function installNative(native: NativePackage, init: InstallInit): Promise<void> {
  const { directory, kind } = native;
  const manifest = join(directory, 'package.json');
  const before = readFileSync(manifest);
  const child = spawn(process.execPath, ['scripts/install.js', kind, 'download'], {
    cwd: directory,
    env: installEnvironment(native, init.environment, init.mirror),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  try {
    await once(child, 'exit');
  } finally {
    // The script writes its package's manifest for a while, and leaves it so when the binding does not come.
    writeFileSync(manifest, before);
  }
  const [library, binding] = native.downloads;
  if (!existsSync(native.libraryPath)) throw notDownloaded('library', library, init.mirror);
  if (!hasBinding(directory)) throw notDownloaded('binding', binding, init.mirror);
}

function hasBinding(directory: string): boolean {
  const folder = join(directory, 'lib');
  return (
    existsSync(folder) &&
    readdirSync(folder).some((each) => existsSync(join(folder, each, 'tfjs_binding.node')))
  );
}

function notDownloaded(what: 'library' | 'binding', path: string, mirror?: string): SetupError {
  const server = mirror ?? 'https://storage.googleapis.com';
  return new SetupError(
    `TensorFlow's native ${what} did not come from ${server}/${path}`,
    mirror === undefined
      ? 'this machine must reach that address (HTTPS_PROXY is honoured), or a mirror in the house: `npm run setup:gpu -- --help`'
      : 'put the file at that address, as `npm run setup:gpu -- --help` says, and look at the mirror’s own log',
  );
}
