import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** What a Vulkan program needs, as far as it is on this machine. */
export interface VulkanParts {
  /** The system's loader, `libvulkan.so.1`, or null. */
  readonly loader: string | null;
  /** The loader that the kit brings, or null where it was packed without. */
  readonly packedLoader: string | null;
  /** Driver files where the loader looks by itself. */
  readonly usualDriverFiles: readonly string[];
  /** Driver files in other places, where container runtimes mount them. */
  readonly otherDriverFiles: readonly string[];
  /** NVIDIA's driver libraries, either of which a driver file may name: the first wants X11's client libraries, the second does not. */
  readonly nvidiaLibraries: readonly string[];
  /** Folders of those libraries that the dynamic linker does not search by itself. */
  readonly unsearchedFolders: readonly string[];
  /** Whether `VK_DRIVER_FILES` or `VK_ICD_FILENAMES` is set already: then it is somebody's choice and stays. */
  readonly chosen: boolean;
}

/** One way to set up Vulkan: what it is, and the environment variables that make it. */
export interface VulkanPlan {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface FindVulkanInit {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The dynamic linker's cache as `ldconfig -p` prints it; empty where it cannot be asked. */
  readonly linkerCache: string;
  readonly packedLoader: string | null;
  /** Where the machine's files lie. @default '/' */
  readonly root?: string;
}

const usualFolders = ['etc', 'usr/local/etc', 'usr/local/share', 'usr/share'];
const otherFolders = [
  'usr/local/nvidia/share/vulkan/icd.d',
  'usr/local/nvidia/vulkan/icd.d',
  'run/opengl-driver/share/vulkan/icd.d',
  'opt/amdgpu/share/vulkan/icd.d',
];
const linkerFolders = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib64', 'lib64'];
const driverFolders = [
  'usr/local/nvidia/lib64',
  'usr/local/nvidia/lib',
  'usr/lib/x86_64-linux-gnu/nvidia/current',
  'usr/lib/nvidia',
  'run/opengl-driver/lib',
  'usr/lib/wsl/lib',
];

/** Finds the loader, the drivers' files and NVIDIA's libraries. */
export function findVulkan({
  env,
  linkerCache,
  packedLoader,
  root = '/',
}: FindVulkanInit): VulkanParts {
  const asked = (env['LD_LIBRARY_PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const searched = [...asked, ...linkerFolders.map((folder) => join(root, folder))];
  const find = (name: string): string | null => {
    const cached = new RegExp(`^\\s*${name.replaceAll('.', '\\.')} .*x86-64.*=> (.*)$`, 'm');
    const folders = [...searched, ...driverFolders.map((folder) => join(root, folder))];
    const paths = folders.map((folder) => join(folder, name));
    return cached.exec(linkerCache)?.[1] ?? paths.find((path) => existsSync(path)) ?? null;
  };
  const nvidiaLibraries = ['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0']
    .map(find)
    .filter((path) => path !== null);
  const folders = new Set(nvidiaLibraries.map((path) => dirname(path)));
  const unsearched = [...folders].filter(
    (folder) => !searched.includes(folder) && !linkerCache.includes(`=> ${folder}/`),
  );
  return {
    loader: find('libvulkan.so.1'),
    packedLoader,
    usualDriverFiles: usualFolders.flatMap((f) => driverFilesIn(join(root, f, 'vulkan/icd.d'))),
    otherDriverFiles: otherFolders.flatMap((folder) => driverFilesIn(join(root, folder))),
    nvidiaLibraries,
    unsearchedFolders: unsearched,
    chosen: [env['VK_DRIVER_FILES'], env['VK_ICD_FILENAMES']].some((value) => value !== undefined),
  };
}

/**
 * The ways to set up Vulkan here, the least invasive first: as the machine is; with driver files from where container runtimes put
 * them; with a driver file written into `folder` for each of NVIDIA's libraries, since containers often bring those without it.
 */
export function vulkanPlans(
  parts: VulkanParts,
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
): VulkanPlan[] {
  const libraries = [
    ...(env['LD_LIBRARY_PATH'] ?? '').split(delimiter),
    ...parts.unsearchedFolders,
    ...(parts.loader === null && parts.packedLoader !== null ? [dirname(parts.packedLoader)] : []),
  ].filter((path) => path !== '');
  const base: Record<string, string> =
    libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.join(delimiter) };
  const plans: VulkanPlan[] = [{ name: 'as this machine is set up', env: base }];
  if (parts.chosen) return plans;
  const withFiles = (name: string, files: readonly string[]): VulkanPlan => {
    // The older of the two names is what loaders before 1.3.207 know.
    const joined = files.join(delimiter);
    return { name, env: { ...base, VK_DRIVER_FILES: joined, VK_ICD_FILENAMES: joined } };
  };
  if (parts.otherDriverFiles.length > 0) {
    plans.push(
      withFiles(`driver files ${parts.otherDriverFiles.join(', ')}`, parts.otherDriverFiles),
    );
  }
  for (const [place, library] of parts.nvidiaLibraries.entries()) {
    const file = join(folder, `nvidia-${place}.json`);
    const driver = { library_path: library, api_version: '1.3.0' };
    writeFileSync(file, `${JSON.stringify({ file_format_version: '1.0.0', ICD: driver })}\n`);
    plans.push(withFiles(`a driver file written for ${library}`, [file]));
  }
  return plans;
}

/** The devices that Vulkan's loader counted up, from what it says with `VK_LOADER_DEBUG=all`. */
export function devicesIn(words: string): string[] {
  const sorted = words.split('Sorted order:').at(1) ?? '';
  const devices: string[] = [];
  for (const line of sorted.split('\n').slice(1)) {
    const device = /\[\d+\] (.*?)\s*$/.exec(line)?.[1];
    if (device === undefined) break;
    devices.push(device);
  }
  return devices;
}

function driverFilesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => join(folder, name));
}
