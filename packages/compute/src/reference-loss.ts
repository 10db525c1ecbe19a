import { type DiceOver, type FocalGeometry, gridShape, type Shape, sizeOf } from './graph.ts';

/** 1 / (1 + exp(−x)), without overflow. */
export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : 1 - 1 / (1 + Math.exp(x));
}

/** mean(weight · cross-entropy), from logits. */
export function bceLoss(z: Float64Array, t: Float64Array, weight?: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < z.length; i++) {
    const zi = z[i] ?? 0;
    const entropy = Math.max(zi, 0) - zi * (t[i] ?? 0) + Math.log1p(Math.exp(-Math.abs(zi)));
    sum += entropy * (weight?.[i] ?? 1);
  }
  return sum / z.length;
}

/** The gradient of {@link bceLoss} by the logits, times `dy`. */
export function bceGradient(
  dy: number,
  z: Float64Array,
  t: Float64Array,
  weight?: Float64Array,
): Float64Array {
  return z.map((zi, i) => (dy * (weight?.[i] ?? 1) * (sigmoid(zi) - (t[i] ?? 0))) / z.length);
}

interface DiceInit {
  readonly over: DiceOver;
  readonly smooth: number;
}

interface DiceTerm {
  readonly numerator: number;
  readonly denominator: number;
}

/** Every Dice ratio's two halves, and for a value's place the index of its ratio. */
function diceTerms(
  shape: Shape,
  { over, smooth }: DiceInit,
  z: Float64Array,
  t: Float64Array,
): { terms: DiceTerm[]; termAt: (index: number) => number } {
  const [n, channels, spatial] = gridShape(shape, 'softDiceLoss');
  const pixels = sizeOf(spatial);
  const count = over === 'batch' ? channels : n * channels;
  const termAt = (index: number): number => Math.floor(index / pixels) % count;
  const numerators = new Float64Array(count).fill(smooth);
  const denominators = new Float64Array(count).fill(smooth);
  for (let i = 0; i < z.length; i++) {
    const p = sigmoid(z[i] ?? 0);
    const ti = t[i] ?? 0;
    const term = termAt(i);
    numerators[term] = (numerators[term] ?? 0) + 2 * p * ti;
    denominators[term] = (denominators[term] ?? 0) + p + ti;
  }
  const terms = Array.from(numerators, (numerator, term) => ({
    numerator,
    denominator: denominators[term] ?? 0,
  }));
  return { terms, termAt };
}

/** 1 − the mean Dice ratio. */
export function diceLoss(shape: Shape, init: DiceInit, z: Float64Array, t: Float64Array): number {
  const { terms } = diceTerms(shape, init, z, t);
  const sum = terms.reduce(
    (total, { numerator, denominator }) => total + numerator / denominator,
    0,
  );
  return 1 - sum / terms.length;
}

/** The gradient of {@link diceLoss} by the logits, times `dy`. */
export function diceGradient(
  shape: Shape,
  init: DiceInit,
  dy: number,
  z: Float64Array,
  t: Float64Array,
): Float64Array {
  const { terms, termAt } = diceTerms(shape, init, z, t);
  return z.map((zi, i) => {
    const { numerator, denominator } = terms[termAt(i)] ?? { numerator: 0, denominator: 1 };
    const p = sigmoid(zi);
    const ratioByP = (2 * (t[i] ?? 0) * denominator - numerator) / denominator ** 2;
    return (-dy / terms.length) * ratioByP * p * (1 - p);
  });
}

/** −log sigmoid(z), without overflow. */
function softplusOfMinus(z: number): number {
  return Math.max(-z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
}

/** The mean focal loss, from logits. */
export function focalLoss(
  { alpha, gamma }: FocalGeometry,
  z: Float64Array,
  t: Float64Array,
): number {
  let sum = 0;
  for (let i = 0; i < z.length; i++) {
    const [zi, ti] = [z[i] ?? 0, t[i] ?? 0];
    const p = sigmoid(zi);
    sum += alpha * ti * (1 - p) ** gamma * softplusOfMinus(zi);
    sum += (1 - alpha) * (1 - ti) * p ** gamma * softplusOfMinus(-zi);
  }
  return sum / z.length;
}

/** The gradient of {@link focalLoss} by the logits, times `dy`. */
export function focalGradient(
  { alpha, gamma }: FocalGeometry,
  dy: number,
  z: Float64Array,
  t: Float64Array,
): Float64Array {
  return z.map((zi, i) => {
    const ti = t[i] ?? 0;
    const p = sigmoid(zi);
    const q = sigmoid(-zi);
    const positive = -(q ** gamma) * (gamma * p * softplusOfMinus(zi) + q);
    const negative = p ** gamma * (gamma * q * softplusOfMinus(-zi) + p);
    return (dy / z.length) * (alpha * ti * positive + (1 - alpha) * (1 - ti) * negative);
  });
}

/** The mean smooth L1 loss. */
export function smoothL1Loss(beta: number, x: Float64Array, target: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const d = Math.abs((x[i] ?? 0) - (target[i] ?? 0));
    sum += d < beta ? d ** 2 / (2 * beta) : d - beta / 2;
  }
  return sum / x.length;
}

/** The gradient of {@link smoothL1Loss} by x, times `dy`. */
export function smoothL1Gradient(
  beta: number,
  dy: number,
  x: Float64Array,
  target: Float64Array,
): Float64Array {
  return x.map((xi, i) => {
    const d = xi - (target[i] ?? 0);
    return (dy / x.length) * Math.max(-1, Math.min(1, d / beta));
  });
}
