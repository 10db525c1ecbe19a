import type { PrivacyEvent } from './event.ts';
import type { Direction } from './pld-loss.ts';

type Step = Pick<PrivacyEvent, 'sampleRate' | 'noiseMultiplier'>;

/**
 * δ(ε) of one step, straight from its definition: the integral of max(0, p − exp(ε) p') over all outcomes, by quadrature from where the integrand
 * begins. Any real ε. Relative error below 1e-8.
 */
export function deltaOfStep(step: Step, direction: Direction, epsilon: number): number {
  const crossing = findCrossing(step, direction === 'remove' ? epsilon : -epsilon);
  const end = 1 / step.noiseMultiplier + 14;
  return direction === 'remove'
    ? integrate(Math.max(-14, crossing), end, 0.1, (t) => {
        const loss = logRatio(step, t);
        return -Math.expm1(epsilon - loss) * Math.exp(loss) * density(t);
      })
    : integrate(-14, Math.min(14, crossing), 0.1, (t) => {
        return -Math.expm1(epsilon + logRatio(step, t)) * density(t);
      });
}

/** δ(ε) of two steps: that of the second one, averaged over the loss of the first. */
export function deltaOfTwo(
  [first, second]: readonly [Step, Step],
  direction: Direction,
  epsilon: number,
): number {
  const removes = direction === 'remove';
  // Where the second step's loss is near its lowest, this integrand changes within a few hundredths.
  return integrate(-10, removes ? 1 / first.noiseMultiplier + 10 : 10, 0.016, (t) => {
    const log = logRatio(first, t);
    const probability = density(t) * (removes ? Math.exp(log) : 1);
    if (probability < 1e-30) return 0;
    return probability * deltaOfStep(second, direction, epsilon - (removes ? log : -log));
  });
}

function logRatio({ sampleRate, noiseMultiplier }: Step, t: number): number {
  return Math.log1p(sampleRate * Math.expm1(t / noiseMultiplier - 0.5 / noiseMultiplier ** 2));
}

/** Where logRatio passes `value`, by bisection; an end where it does not. */
function findCrossing(step: Step, value: number): number {
  let low = -14;
  let high = 1 / step.noiseMultiplier + 14;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (logRatio(step, middle) < value) low = middle;
    else high = middle;
  }
  return high;
}

function density(t: number): number {
  return Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
}

/** Gauss and Legendre's rule of four points on panels of at most `width`. */
function integrate(from: number, to: number, width: number, f: (t: number) => number): number {
  const panels = Math.ceil((to - from) / width);
  if (!(panels > 0)) return 0;
  const half = (to - from) / panels / 2;
  let sum = 0;
  for (let panel = 0; panel < panels; panel++) {
    const middle = from + (2 * panel + 1) * half;
    const near = 0.3399810435848563 * half;
    const far = 0.8611363115940526 * half;
    sum += 0.6521451548625461 * (f(middle - near) + f(middle + near));
    sum += 0.3478548451374538 * (f(middle - far) + f(middle + far));
  }
  return sum * half;
}
