import type { OperatorRow } from './operators-part.ts';
import type { UNetRow } from './unet-part.ts';

/** The largest relative L2 distance at which loss, outputs and gradient count as the same. */
export const bar = 1e-3;

/** One thing that was compared, by its worst distance. */
export interface Compared {
  readonly name: string;
  readonly loss: number;
  readonly outputs: number;
  readonly gradient: number;
  /** Why there is no distance: a crash, say. Empty when there is one. */
  readonly why: string;
}

export interface Verdict {
  readonly held: boolean;
  /** How many gave a distance. */
  readonly compared: number;
  /** All of it, the worst first: what failed altogether, then by distance. */
  readonly all: readonly Compared[];
}

/**
 * Whether an engine computes what it should: every distance is at most {@link bar}, and nothing that was to be compared is missing.
 *
 * @param wanted how many comparisons there should be.
 */
export function judge(compared: readonly Compared[], wanted: number): Verdict {
  const all = compared.toSorted((a, b) => worstOf(b) - worstOf(a));
  const held = compared.length === wanted && all.every((one) => worstOf(one) <= bar);
  return { held, compared: compared.filter(({ why }) => why === '').length, all };
}

/**
 * The comparisons of the operators. The engine is compared with onnx-cpu and with float64, and the worse counts: onnx-cpu itself can
 * only be compared with float64.
 */
export function comparedOperators(rows: readonly OperatorRow[]): Compared[] {
  return rows.flatMap(({ name, fromCpu, fromFloat64 }) => {
    if (fromCpu === undefined || fromFloat64 === undefined) return [];
    const worse = (part: 'loss' | 'outputs' | 'gradient'): number =>
      Math.max(fromCpu[part], fromFloat64[part]);
    const [loss, outputs, gradient] = [worse('loss'), worse('outputs'), worse('gradient')];
    return [{ name, loss, outputs, gradient, why: '' }];
  });
}

/** The comparison of a whole training step: with onnx-cpu, and for onnx-cpu itself with float64. */
export function comparedUNet(row: UNetRow, engine: string): Compared {
  const from = engine === 'onnx-cpu' ? (row.fromFloat64 ?? row.fromCpu) : row.fromCpu;
  return { name: `U-Net, ${row.batch} × ${row.size}²`, ...from, why: '' };
}

/** Something that should have been compared and gave no result. */
export function missing(name: string, why: string): Compared {
  const never = Number.POSITIVE_INFINITY;
  return { name, loss: never, outputs: never, gradient: never, why };
}

function worstOf({ loss, outputs, gradient }: Compared): number {
  const worst = Math.max(loss, outputs, gradient);
  return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
}
