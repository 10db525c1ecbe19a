import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';

/** Where and from what a benchmark's figures come. */
export interface Provenance {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGibibytes: number;
    /** Of the last minute, when the benchmark began: work of others, on an idle machine near 0. */
    readonly load: number;
  };
  readonly commit: string;
  readonly node: string;
  /** As this repository pins it. */
  readonly onnxruntime: string;
}

export function provenance(): Provenance {
  const compute: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(new URL('../../../packages/compute/package.json', import.meta.url), 'utf8'),
  );
  return {
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryGibibytes: Math.round(totalmem() / 2 ** 30),
      load: loadavg()[0] ?? 0,
    },
    commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
    node: process.versions.node,
    onnxruntime: compute.dependencies['onnxruntime-node'] ?? 'unknown',
  };
}
