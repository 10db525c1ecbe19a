import { readdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { adapterHere, type EngineName } from '@consilium/compute';

/** What a device's name begins with that is no GPU although it is reached as one. */
export const softwareVulkan = 'software Vulkan';

/**
 * What this process computes on with an engine that has run here, for people; the drivers' own names, or the nearest to them that the system
 * tells without a tool.
 */
export async function deviceOf(engine: EngineName, threads: number): Promise<string> {
  switch (engine) {
    case 'onnx-webgpu': {
      const { kind, devices } = await adapterHere();
      if (kind === 'gpu') return (await Promise.all(devices.map(gpuName))).join(', ');
      return `${softwareVulkan} on ${cpuName()}`;
    }
    case 'onnx-cuda':
    case 'tfjs-gpu':
      return (await nvidiaNames('/proc/driver/nvidia/gpus')).join(', ') || 'an NVIDIA GPU';
    case 'tfjs-wasm':
      return `${cpuName()}, 1 thread`;
    case 'onnx-cpu':
    case 'tfjs-node':
      return `${cpuName()}, ${threads} of ${cpus().length} threads`;
  }
}

function cpuName(): string {
  return cpus()[0]?.model.trim() ?? 'a CPU';
}

async function gpuName(device: string): Promise<string> {
  if (device.startsWith('/dev/nvidia')) {
    const names = await nvidiaNames('/proc/driver/nvidia/gpus');
    return names[Number(device.replace(/\D+/g, ''))] ?? device;
  }
  return (await drmName(join('/sys/class/drm', basename(device), 'device'))) ?? device;
}

/** Models as NVIDIA's kernel driver lists them, in the order of their bus addresses. */
async function nvidiaNames(folder: string): Promise<string[]> {
  const addresses = await readdir(folder).catch(() => []);
  return Promise.all(
    addresses.sort().map(async (address) => {
      const text = await readFile(join(folder, address, 'information'), 'utf8').catch(() => '');
      return /^Model:\s*(.+)$/m.exec(text)?.[1]?.trim() ?? `an NVIDIA GPU at ${address}`;
    }),
  );
}

/** Such as `amdgpu 1002:744c`: the kernel knows numbers, `lspci` their names. Null where it tells nothing. */
async function drmName(folder: string): Promise<string | null> {
  const text = await readFile(join(folder, 'uevent'), 'utf8').catch(() => '');
  const driver = /^DRIVER=(.+)$/m.exec(text)?.[1];
  const id = /^PCI_ID=(.+)$/m.exec(text)?.[1];
  return driver === undefined || id === undefined ? null : `${driver} ${id.toLowerCase()}`;
}
