// The continued fraction of the tail converges fast from here on; the series below loses no digits up to here.
const seriesEnd = 2.5;

/**
 * Φ, the distribution function of the standard normal distribution, for any number; NaN gives NaN.
 *
 * Relative error below 1e-12 where Φ is at least 1e-300, on the left tail too.
 *
 * @see Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 26.2.11 and 26.2.14
 */
export function normalCdf(x: number): number {
  if (x < -seriesEnd) return upperTail(-x);
  if (x > seriesEnd) return 1 - upperTail(x);
  let term = x;
  let sum = x;
  for (let n = 3; Math.abs(term) > 1e-18 * Math.abs(sum); n += 2) {
    term *= (x * x) / n;
    sum += term;
  }
  return 0.5 + density(x) * sum;
}

/**
 * The inverse of Φ: the x below which a standard normal number lies with the given probability.
 * −Infinity for 0, Infinity for 1, NaN outside of [0, 1]. Φ of the result has the probability's first 10 digits.
 *
 * @see Abramowitz and Stegun 1964, 26.2.23 for the start, then Halley's steps
 */
export function normalQuantile(probability: number): number {
  if (!(probability >= 0 && probability <= 1)) return Number.NaN;
  if (probability === 0) return -Infinity;
  if (probability > 0.5) return -normalQuantile(1 - probability);
  const t = Math.sqrt(-2 * Math.log(probability));
  let x =
    (2.515517 + t * (0.802853 + t * 0.010328)) /
      (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
    t;
  // The start is within 4.5e-4; each step cubes the error.
  for (let step = 0; step < 2; step++) {
    const newton = (normalCdf(x) - probability) / density(x);
    x -= newton / (1 + (x * newton) / 2);
  }
  return x;
}

/** 1 − Φ(x) for x > 0, by the continued fraction of Mills' ratio, evaluated from its far end. */
function upperTail(x: number): number {
  let fraction = x;
  for (let n = 120; n >= 1; n--) fraction = x + n / fraction;
  return density(x) / fraction;
}

function density(x: number): number {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}
