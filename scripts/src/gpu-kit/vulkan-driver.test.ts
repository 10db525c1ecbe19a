import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { devicesIn, findVulkan, vulkanPlans } from './vulkan-driver.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'consilium-vulkan-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), '');
  }
}

const kit = '/kit/lib/vulkan/libvulkan.so.1';

test('a machine that is set up is left as it is', () => {
  put('usr/lib/x86_64-linux-gnu/libvulkan.so.1', 'usr/share/vulkan/icd.d/radeon.json');
  const parts = findVulkan({ env: {}, linkerCache: '', packedLoader: kit, root });
  expect(parts.usualDriverFiles).toEqual([join(root, 'usr/share/vulkan/icd.d/radeon.json')]);
  expect(vulkanPlans(parts, {}, root)).toEqual([{ name: 'as this machine is set up', env: {} }]);
});

test('a container with nothing but mounted driver libraries gets loader, folder and driver files', () => {
  const folder = join(root, 'usr/local/nvidia/lib64');
  put('usr/local/nvidia/lib64/libGLX_nvidia.so.0', 'usr/local/nvidia/lib64/libEGL_nvidia.so.0');
  put('usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json');
  const env = { LD_LIBRARY_PATH: '/mine' };
  const parts = findVulkan({ env, linkerCache: '', packedLoader: kit, root });
  const plans = vulkanPlans(parts, env, root);
  const path = `/mine:${folder}:/kit/lib/vulkan`;
  const mounted = join(root, 'usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json');
  expect(plans.map((plan) => plan.env['LD_LIBRARY_PATH'])).toEqual([path, path, path, path]);
  expect(plans[1]?.env).toMatchObject({ VK_DRIVER_FILES: mounted, VK_ICD_FILENAMES: mounted });
  const written = readFileSync(plans[3]?.env['VK_DRIVER_FILES'] ?? '', 'utf8');
  expect(JSON.parse(written).ICD.library_path).toBe(join(folder, 'libEGL_nvidia.so.0'));
});

test('libraries that the dynamic linker knows need no folder', () => {
  const linkerCache = [
    '\tlibvulkan.so.1 (libc6,x86-64) => /opt/v/libvulkan.so.1',
    '\tlibGLX_nvidia.so.0 (libc6) => /usr/lib/i386/libGLX_nvidia.so.0',
    '\tlibGLX_nvidia.so.0 (libc6,x86-64) => /opt/n/libGLX_nvidia.so.0',
  ].join('\n');
  const parts = findVulkan({ env: {}, linkerCache, packedLoader: null, root });
  expect(parts).toMatchObject({
    loader: '/opt/v/libvulkan.so.1',
    nvidiaLibraries: ['/opt/n/libGLX_nvidia.so.0'],
    unsearchedFolders: [],
  });
});

test("somebody's choice of drivers stays", () => {
  put('usr/local/nvidia/lib64/libGLX_nvidia.so.0');
  const env = { VK_ICD_FILENAMES: '/theirs.json' };
  const parts = findVulkan({ env, linkerCache: '', packedLoader: null, root });
  expect(vulkanPlans(parts, env, root)).toHaveLength(1);
});

test('reads the devices from the words of the loader, each once', () => {
  const list = (order: string): string =>
    `INFO | DRIVER:   ${order} order:\nINFO | DRIVER:     [0] NVIDIA H200  \nINFO | DRIVER:     [1] llvmpipe (LLVM 15, 256 bits)\n`;
  const once = `INFO: linux_read_sorted_physical_devices:\n${list('Original')}${list('Sorted')}`;
  expect(devicesIn(`${once}DEBUG: x\n${once}`)).toEqual([
    'NVIDIA H200',
    'llvmpipe (LLVM 15, 256 bits)',
  ]);
  expect(devicesIn('vkCreateInstance: Found no drivers!')).toEqual([]);
});
