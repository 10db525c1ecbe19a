import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { installNative } from './install-native.ts';
import { checkMirror, type NativePackage, readNativePackage } from './native-package.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const machine = { platform: 'linux', arch: 'x64', napi: 10 };
const installed = findInstalled();

function findInstalled(): string | undefined {
  try {
    const { resolve } = createRequire(import.meta.resolve('@consilium/compute'));
    return dirname(resolve('@tensorflow/tfjs-node-gpu/package.json'));
  } catch {
    return undefined;
  }
}

const servers: ReturnType<typeof createServer>[] = [];
const folders: string[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'setup-gpu-'));
  folders.push(folder);
  return folder;
}

/** The package without its native part, in a folder of its own: installing writes into it. */
function copyOf(source: string): NativePackage {
  const folder = temporaryFolder();
  const directory = join(folder, 'package');
  for (const part of ['package.json', 'scripts']) {
    cpSync(join(source, part), join(directory, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
  return readNativePackage('gpu', directory, machine);
}

/** A mirror on this machine that serves `files` by path and writes down what it was asked for. */
async function startMirror(
  files: Readonly<Record<string, Buffer>>,
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').slice(1);
    asked.push(path);
    const file = files[path];
    response.writeHead(file === undefined ? 404 : 200);
    response.end(file ?? 'there is no such file');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** A gzipped tar of one file. */
function archiveOf(path: string, text: string): Buffer {
  const folder = temporaryFolder();
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  return execFileSync('tar', ['-czf', '-', '-C', folder, path.split('/')[0] ?? path]);
}

const environment = { PATH: process.env['PATH'] };
const library = archiveOf('lib/libtensorflow.so.2.9.1', 'library');
const binding = archiveOf('napi-v8/tfjs_binding.node', 'binding');

// The package is optional. Its install script runs on the machine at hand, so that the paths below are those of one system.
const skipped = installed === undefined || process.platform !== 'linux' || process.arch !== 'x64';

describe.skipIf(skipped)('the native library', () => {
  const source = installed ?? '';

  test('is taken from a mirror that has the files where the help text says, and placed in the package', async () => {
    const native = copyOf(source);
    const [libraryPath, bindingPath] = native.downloads;
    const { url, asked } = await startMirror({ [libraryPath]: library, [bindingPath]: binding });
    const manifest = readFileSync(join(native.directory, 'package.json'));
    await installNative(native, { mirror: url, environment });
    expect(asked).toEqual([
      'tensorflow/libtensorflow/libtensorflow-gpu-linux-x86_64-2.9.1.tar.gz',
      'tf-builds/pre-built-binary/napi-v8/4.22.0/GPU-linux-4.22.0.tar.gz',
    ]);
    expect(readFileSync(native.libraryPath, 'utf8')).toBe('library');
    const placed = join(native.directory, 'lib/napi-v8/tfjs_binding.node');
    expect(readFileSync(placed, 'utf8')).toBe('binding');
    expect(readFileSync(join(native.directory, 'package.json'))).toEqual(manifest);
  });

  test('that a mirror lacks is an error that names the address', async () => {
    const native = copyOf(source);
    const { url, asked } = await startMirror({});
    await expect(installNative(native, { mirror: url, environment })).rejects.toMatchObject({
      message: `TensorFlow's native library did not come from ${url}/${native.downloads[0]}`,
      hint: expect.stringContaining('--help'),
    });
    expect(asked).toEqual([native.downloads[0]]);
  });

  test('without its binding is an error, no attempt to compile one, and the package as before', async () => {
    const native = copyOf(source);
    const { url, asked } = await startMirror({ [native.downloads[0]]: library });
    const manifest = readFileSync(join(native.directory, 'package.json'));
    await expect(installNative(native, { mirror: url, environment })).rejects.toMatchObject({
      message: `TensorFlow's native binding did not come from ${url}/${native.downloads[1]}`,
    });
    expect(asked).toEqual([...native.downloads]);
    expect(existsSync(join(native.directory, 'build'))).toBe(false);
    expect(readFileSync(join(native.directory, 'package.json'))).toEqual(manifest);
  });

  test('is refused for a machine that it was not built for', () => {
    expect(() => readNativePackage('gpu', source, { ...machine, arch: 'arm64' })).toThrow(
      '@tensorflow/tfjs-node-gpu has no build for linux on arm64',
    );
    expect(() => readNativePackage('gpu', source, { ...machine, platform: 'darwin' })).toThrow(
      'no build for darwin on x64',
    );
  });
});

test.each(['ftp://mirror/', 'mirror', 'file:///srv'])('%s is no mirror', (address) => {
  expect(() => checkMirror(address)).toThrow('is no address of a mirror');
});

test('a mirror may end in a slash, and lie below a path', () => {
  expect(checkMirror('https://mirror.example/google/')).toBe('https://mirror.example/google');
});
