import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { basename, join } from 'node:path';

/** A display device on the PCI bus, as the kernel sees it. */
export interface PciDisplay {
  readonly slot: string;
  readonly vendor: string;
  /** PCI device id, hexadecimal. */
  readonly device: string;
  /** The kernel's driver, or null while none has taken it. */
  readonly driver: string | null;
}

/** What can be said about a machine without any tool that may be missing there. */
export interface Survey {
  readonly system: string;
  readonly kernel: string;
  readonly glibc: string;
  readonly cpu: string;
  /** Those that this process may use, and those that there are. */
  readonly usableCores: number;
  readonly cores: number;
  readonly memoryGib: number;
  readonly displays: readonly PciDisplay[];
  /** What NVIDIA's kernel driver says about itself, and the models it drives. */
  readonly nvidiaDriver: string | null;
  readonly nvidiaModels: readonly string[];
  /** `nvidia-smi`'s lines, where it can be run. */
  readonly nvidiaSmi: readonly string[];
}

const vendors: Readonly<Record<string, string>> = {
  '0x10de': 'NVIDIA',
  '0x1002': 'AMD',
  '0x8086': 'Intel',
  '0x1af4': 'virtio',
  '0x1013': 'Cirrus',
  '0x15ad': 'VMware',
};

/** Looks around; what cannot be read is left out, never guessed. `root` is where the machine's `/proc`, `/sys` and `/etc` lie. */
export function survey(root = '/'): Survey {
  const nvidia = join(root, 'proc/driver/nvidia');
  const models = list(join(nvidia, 'gpus')).map((gpu) =>
    fieldOf(read(join(nvidia, 'gpus', gpu, 'information')), 'Model'),
  );
  return {
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(read(join(root, 'etc/os-release')))?.[1] ?? 'unknown',
    kernel: release(),
    glibc: glibcVersion(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    usableCores: availableParallelism(),
    cores: cpus().length,
    memoryGib: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    displays: displaysIn(join(root, 'sys/bus/pci/devices')),
    nvidiaDriver: read(join(nvidia, 'version')).split('\n')[0]?.trim() || null,
    nvidiaModels: models.filter((model) => model !== ''),
    nvidiaSmi: root === '/' ? askNvidiaSmi() : [],
  };
}

/** Class 0x03: VGA, XGA, 3-D and other display controllers. */
function displaysIn(folder: string): PciDisplay[] {
  return list(folder).flatMap((slot) => {
    const about = (name: string): string => read(join(folder, slot, name)).trim();
    if (!about('class').startsWith('0x03')) return [];
    const vendor = vendors[about('vendor')] ?? about('vendor');
    const driver = join(folder, slot, 'driver');
    return [{ slot, vendor, device: about('device'), driver: nameBehind(driver) }];
  });
}

function askNvidiaSmi(): string[] {
  const query = '--query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.memory';
  for (const command of ['nvidia-smi', '/usr/local/nvidia/bin/nvidia-smi']) {
    try {
      const said = execFileSync(command, [query, '--format=csv,noheader'], {
        encoding: 'utf8',
        timeout: 20_000,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      return said.trim().split('\n');
    } catch {
      // Most machines have none, or none that works in this container: the survey then does without.
    }
  }
  return [];
}

function glibcVersion(): string {
  const report: { header?: { glibcVersionRuntime?: string } } = Object(process.report.getReport());
  return report.header?.glibcVersionRuntime ?? 'unknown';
}

function fieldOf(text: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
}

/** The name that a link leads to, or null without one. */
function nameBehind(link: string): string | null {
  try {
    return basename(readlinkSync(link));
  } catch {
    return null;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
