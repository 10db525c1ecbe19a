import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const name = 'libvulkan.so.1';
const debianFolder = 'usr/lib/x86_64-linux-gnu';

/** Vulkan's loader for the kit: the one at `path`, else the one installed here, else the one of Debian's package libvulkan1. It needs libc and libm only. */
export function readVulkanLoader(path: string | undefined): Uint8Array {
  if (path !== undefined) return readFileSync(path);
  const installed = [`/${debianFolder}/${name}`, `/usr/lib64/${name}`].find((file) =>
    existsSync(file),
  );
  return installed === undefined ? download() : readFileSync(installed);
}

function download(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-vulkan-'));
  const run = (command: string, ...args: string[]): void => {
    execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  try {
    run('apt-get', 'download', 'libvulkan1');
    const [file = ''] = readdirSync(folder);
    run('dpkg-deb', '-x', file, 'unpacked');
    return readFileSync(join(folder, 'unpacked', debianFolder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
