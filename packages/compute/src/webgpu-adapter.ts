import { readdir, readlink } from 'node:fs/promises';
import { platform } from 'node:os';

/** What this process's WebGPU device computes on, as far as the operating system tells. */
export interface WebgpuAdapter {
  /** `unknown` where the system does not tell: anything but Linux. */
  readonly kind: 'gpu' | 'software' | 'unknown';
  /** The GPUs' device files that the process has open, each once. */
  readonly devices: readonly string[];
}

/**
 * Looks at this process while a program is compiled for WebGPU. onnxruntime 1.30 tells its adapter to nobody, neither by its interface nor in its
 * log at any level, so the kernel is asked: a driver that computes on a GPU keeps that GPU's device file open, and one that computes in
 * software (lavapipe, SwiftShader) has none to open.
 *
 * Limit: with a GPU whose driver is open *and* unfit beside a software driver, the file is open and the software computes. Keep software drivers
 * away from the process to exclude it (`VK_LOADER_DRIVERS_DISABLE`).
 */
export async function adapterHere(): Promise<WebgpuAdapter> {
  return platform() === 'linux' ? adapterOf(await openFiles()) : { kind: 'unknown', devices: [] };
}

/** {@link adapterHere} for a process on Linux that has these files open. */
export function adapterOf(files: readonly string[]): WebgpuAdapter {
  const devices = [...new Set(files.filter((file) => gpuFile.test(file)))].sort();
  return { kind: devices.length > 0 ? 'gpu' : 'software', devices };
}

// The kernel's render nodes (AMD, Intel, nouveau), NVIDIA's own, and that of Windows' GPU inside of WSL. Not `nvidiactl`, which is there without a GPU.
const gpuFile = /^\/dev\/(?:dri\/renderD\d+|nvidia\d+|dxg)$/;

async function openFiles(): Promise<string[]> {
  const names = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    // A file that was closed meanwhile, the listing's own among them, has no target any more.
    names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
  );
  return targets.filter((target) => target !== '');
}
