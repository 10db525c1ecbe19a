/** Terms below e^-50 of the largest one are left out. */
const negligible = -50;
/** Lattice points in a block that is summed rather than split further. */
const blockPoints = 16;

/**
 * Logarithm of E[(p₁(x) / p₀(x))^power] for x drawn from p₀, where p₀ = N(0, σ²), p₁ = (1 − q) N(0, σ²) + q N(1, σ²), q is
 * `sampleRate` and σ is `noiseMultiplier`: one step of the Poisson-subsampled Gaussian without a patient, and with that patient.
 *
 * Both Rényi divergences of the step are of this form: (α − 1) D_α(p₁ ‖ p₀) at power α, (α − 1) D_α(p₀ ‖ p₁) at power 1 − α.
 *
 * Any real power. Relative error below 1e-9 at powers above 1, also where the moment is one plus very little, or beyond the range of
 * exp: as the ratio has mean one, its first-order part can be left out of the integrand, which then has one sign and cancels nowhere.
 * Where power / σ passes 2^20 in size and the result has no closed form, the value for q = 1 is returned, which is never smaller.
 *
 * @throws {RangeError} when `sampleRate` is outside of (0, 1] or `noiseMultiplier` is not positive and finite.
 * @see Mironov, Talwar, Zhang 2019, Rényi Differential Privacy of the Sampled Gaussian Mechanism, section 3
 * @see Trefethen, Weideman 2014, The Exponentially Convergent Trapezoidal Rule, theorem 5.1
 */
export function logMoment(sampleRate: number, noiseMultiplier: number, power: number): number {
  if (!(sampleRate > 0 && sampleRate <= 1)) {
    throw new RangeError(`sampleRate must be in (0, 1], got ${sampleRate}`);
  }
  if (!(noiseMultiplier > 0 && noiseMultiplier < Infinity)) {
    throw new RangeError(`noiseMultiplier must be positive and finite, got ${noiseMultiplier}`);
  }
  if (power === 0 || power === 1) return 0;
  const sigma = noiseMultiplier;
  const unsampled = ((power / sigma) * (power - 1)) / (2 * sigma);
  if (sampleRate === 1) return unsampled;
  if (Math.abs(power) / sigma > 2 ** 20) {
    // All of the integral lies around t = power / σ, where ratio^power is q^power exp(power · v) unless the lowest v there is too small.
    const lowest = (power / sigma - 40 - 0.5 / sigma) / sigma;
    const closed = lowest > 40 + Math.log(power / sampleRate);
    return closed ? unsampled + power * Math.log(sampleRate) : unsampled;
  }

  // t = x / σ is standard normal under p₀. Outside of these ends the integrand falls at least as a Gaussian, by more than e^-100.
  const step = latticeStep(sampleRate, sigma, power);
  const first = Math.floor((-16 + Math.min(0, power / sigma)) / step);
  const end = Math.ceil((16 + Math.max(2, power) / sigma) / step);
  const logSum = logLatticeSum(first, end, step, (t) =>
    logCurvedPart(sampleRate, (t - 0.5 / sigma) / sigma, power),
  );
  const logExcess = logSum + Math.log(step / Math.sqrt(2 * Math.PI));
  if (logExcess > 40) return logExcess;
  const excess = Math.exp(logExcess); // |E[ratio^power] − 1|
  return Math.log1p(power > 0 && power < 1 ? -excess : excess);
}

/**
 * Spacing at which the trapezoidal rule errs by less than 1e-13 of the integral: the error is about exp(reach²/2 − 2π reach / step),
 * where the integrand is analytic, and grows as exp(curvature · y² / 2), for |Im t| = y up to `reach`. The ratio is zero at |Im t| = πσ.
 */
function latticeStep(q: number, sigma: number, power: number): number {
  // At negative powers that zero is a pole; up to half its distance the ratio is no smaller than where it is smallest on the real axis.
  const curvature = power < 0 ? 1 - lowestPeak(q, sigma, power) / sigma : 1;
  // For σ < 0.05 the zeros lie at Re t > 10, where the integrand is negligible, so that they need not be resolved.
  const width = (power < 0 ? 0.45 : 0.9) * Math.PI * Math.max(sigma, 0.05);
  const reach = Math.min(8 / Math.sqrt(curvature), width);
  return (2 * Math.PI * reach) / (36 + (curvature * reach ** 2) / 2);
}

/** The t ≤ 0 at which exp(−t²/2) ratio(t)^power is largest, for a negative power. */
function lowestPeak(q: number, sigma: number, power: number): number {
  let low = power / sigma;
  let high = 0;
  for (let i = 0; i < 60; i++) {
    const t = (low + high) / 2;
    const part = q * Math.exp((t - 0.5 / sigma) / sigma);
    if (t < ((power / sigma) * part) / (1 - q + part)) low = t;
    else high = t;
  }
  return low;
}

/**
 * log Σ exp(−t²/2 + logFactor(t)) over t = k · step for the whole numbers first ≤ k < end. Blocks that cannot matter are passed over, so
 * that the cost hardly depends on the length.
 *
 * @param logFactor falls up to some t and rises from there, so that over a block it is largest at an end.
 */
function logLatticeSum(
  first: number,
  end: number,
  step: number,
  logFactor: (t: number) => number,
): number {
  const blocks: { first: number; end: number; bound: number }[] = [];
  let largest = -Infinity;
  search(first, end, Infinity);
  let sum = 0;
  for (const block of blocks) {
    if (block.bound < largest + negligible) continue;
    for (let k = block.first; k < block.end; k++) sum += Math.exp(logTerm(k) - largest);
  }
  return largest + Math.log(sum);

  function search(from: number, to: number, bound: number): void {
    if (bound < largest + negligible) return;
    const middle = from + Math.floor((to - from) / 2);
    largest = Math.max(largest, logTerm(middle));
    if (to - from <= blockPoints) {
      blocks.push({ first: from, end: to, bound });
      return;
    }
    const left = logBound(from, middle - 1);
    const right = logBound(middle, to - 1);
    if (left > right) {
      search(from, middle, left);
      search(middle, to, right);
    } else {
      search(middle, to, right);
      search(from, middle, left);
    }
  }

  function logTerm(k: number): number {
    return -((k * step) ** 2) / 2 + logFactor(k * step);
  }

  function logBound(from: number, to: number): number {
    const nearest = from > 0 ? from : to < 0 ? to : 0;
    return -((nearest * step) ** 2) / 2 + Math.max(logFactor(from * step), logFactor(to * step));
  }
}

/**
 * log |r^s − 1 − s (r − 1)| for the ratio r = 1 + q (e^v − 1): the ratio's power without the part that is linear in it, which has mean zero.
 * Convex or concave in r, and zero at r = 1.
 */
function logCurvedPart(q: number, v: number, s: number): number {
  const w = v < 700 ? q * Math.expm1(v) : Infinity;
  if (Math.abs(w) * Math.max(1, Math.abs(s)) < 0.1) {
    // s(s−1)/2 w² (1 + (s−2)/3 w (1 + (s−3)/4 w (…)))
    let series = 1;
    for (let k = 12; k >= 3; k--) series = 1 + ((s - k + 1) / k) * w * series;
    return Math.log((Math.abs(s * (s - 1)) / 2) * series) + 2 * Math.log(Math.abs(w));
  }
  const logRatio = w < Infinity ? Math.log1p(w) : v + Math.log(q);
  const a = s - 1;
  if (a * logRatio > 700) return s * logRatio;
  return logRatio + Math.log(Math.abs(Math.expm1(a * logRatio) + a * Math.expm1(-logRatio)));
}
