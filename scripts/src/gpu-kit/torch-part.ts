import { execFileSync } from 'node:child_process';
import type { EngineChoice } from './kit-engine.ts';
import { type Outcome, type RunInit, runForRows } from './run-part.ts';
import type { Patience, Timing } from './stopwatch.ts';
import { type StepSize, unetForm } from './unet-step.ts';

/** What PyTorch took for one batch. */
export interface TorchTiming extends StepSize, Timing {
  readonly work: 'training' | 'reading';
  /** `float32`: TF32 off; `as it comes`: with PyTorch's own settings. */
  readonly precision: 'float32' | 'as it comes';
}

/** The first row is about PyTorch itself. */
export type TorchRow = { readonly version: string; readonly device: string } | TorchTiming;

export interface TorchSettings extends Pick<EngineChoice, 'threads'> {
  readonly device: 'cuda' | 'cpu';
  readonly training: readonly StepSize[];
  readonly reading: readonly StepSize[];
  readonly patience: Patience;
}

/** The first of `candidates` that has PyTorch with this device, or why there is none. */
export function findTorch(
  candidates: readonly string[],
  device: 'cuda' | 'cpu',
): { python: string } | { why: string } {
  const wanted =
    device === 'cuda' ? 'assert torch.cuda.is_available(), "PyTorch finds no GPU"' : '';
  const reasons: string[] = [];
  for (const python of candidates) {
    try {
      execFileSync(python, ['-c', `import torch\n${wanted}`], {
        timeout: 120_000,
        stdio: ['ignore', 'ignore', 'pipe'],
        encoding: 'utf8',
      });
      return { python };
    } catch (error) {
      const { stderr = '', message = '' }: { stderr?: string; message?: string } = Object(error);
      const last = stderr.trim().split('\n').at(-1);
      reasons.push(`${python}: ${last || message}`);
    }
  }
  return { why: reasons.join('; ') };
}

/** Measures the same network in PyTorch. */
export function runTorch(
  python: string,
  settings: TorchSettings,
  init: RunInit,
): Promise<Outcome<TorchRow>> {
  const script = `${import.meta.dirname}/torch-unet.py`;
  const network = { widths: unetForm.widths, groups: unetForm.groups };
  const argument = JSON.stringify({ ...settings, network });
  return runForRows(python, ['-B', script, argument], init, 1);
}
