import { createRandom, generatePatient } from '@consilium/imaging/phantom';
import {
  createMechanism,
  type MechanismSpec,
  noiseMultiplierFor,
  oneByOne,
} from '@consilium/privacy';
import { seededBytes } from './seeded-bytes.ts';

/** An image of `imageSide`² values in [0, 1], and the network that learns from it: one hidden layer of sigmoids, one output. */
const imageSide = 48;
const pixels = imageSide ** 2;
const hiddenUnits = 8;
/** Weights of the hidden layer, [hiddenUnits, pixels], then its biases, the output's weights and the output's bias. */
const biasesAt = hiddenUnits * pixels;
const outputAt = biasesAt + hiddenUnits;
const parameters = outputAt + hiddenUnits + 1;

/** How much of an image came back: Pearson's correlation of its pixels with the attack's, in absolute value. */
export interface Inversion {
  /** By dividing the weight gradients of the unit that learned most by its bias gradient. */
  readonly strongestUnit: number;
  /** By weighing every unit's weight gradients with its true bias gradient, which somebody told the attacker. */
  readonly toldBiases: number;
}

interface Target {
  readonly image: Float32Array;
  readonly gradient: Float32Array;
}

const steps = 100;
/**
 * The releases that are attacked: 100 steps over 25 patients, 16 of them in each, with the noise of a balanced study's ε 8 at δ 1e-5,
 * the weakest profile that says that images cannot be rebuilt. The clip norm is below that of every gradient here, so
 * that one patient adds all that the noise is made for.
 */
const balanced: MechanismSpec = {
  sampleRate: 16 / 25,
  noiseMultiplier: noiseMultiplierFor(8, 1e-5, 16 / 25, steps, 'rdp'),
  clipNorm: 0.3,
  gridExponent: -20,
  expectedBatch: 16,
};

/** Attacks the gradient of one image, as it is shared without privacy. */
export function attackGradient(seed: number): Inversion {
  const target = createTarget(seed);
  return invert(target.gradient, target);
}

/** Attacks gradients that were clipped, with next to no noise: 2⁻¹² of the clip norm. */
export async function attackClipped(seed: number): Promise<Inversion> {
  const spec = { ...balanced, sampleRate: 1, gridExponent: -24, noiseMultiplier: 2 ** -12 };
  const { oneStep } = await attackMechanism(spec, 2, seed);
  return oneStep;
}

/** Attacks what a balanced study's mechanism releases: each step by itself, and the mean of all of them. */
export function attackReleases(seed: number): Promise<{ oneStep: Inversion; allSteps: Inversion }> {
  return attackMechanism(balanced, steps, seed);
}

/**
 * Attacks the releases over a cohort of one patient, of one slice, whose gradient is the same in each. That is the most an attacker
 * can hope for: whoever knows all the others can take their gradients away. Of the single steps, each attack's best is returned.
 */
async function attackMechanism(
  spec: MechanismSpec,
  count: number,
  seed: number,
): Promise<{ oneStep: Inversion; allSteps: Inversion }> {
  const target = createTarget(seed);
  const mechanism = createMechanism({ random: seededBytes('inversion', seed) }, spec);
  const sum = new Float32Array(parameters);
  const each: Inversion[] = [];
  for (let step = 0; step < count; step++) {
    const released = await mechanism.step({
      patients: 1,
      dimension: parameters,
      gradientsOf: oneByOne(async () => target.gradient),
    });
    for (let i = 0; i < parameters; i++) sum[i] = (sum[i] ?? 0) + (released[i] ?? 0);
    each.push(invert(released, target));
  }
  const oneStep = {
    strongestUnit: Math.max(...each.map(({ strongestUnit }) => strongestUnit)),
    toldBiases: Math.max(...each.map(({ toldBiases }) => toldBiases)),
  };
  return { oneStep, allSteps: invert(sum, target) };
}

function createTarget(seed: number): Target {
  const image = chestImage(seed);
  return { image, gradient: imageGradient(image, seed) };
}

/** The middle slice of a made-up chest, −1000…400 HU. */
function chestImage(seed: number): Float32Array {
  const { scan } = generatePatient({
    seed,
    profile: 'hospital-a',
    condition: { kind: 'covid', day: 9 },
    size: [imageSide, imageSide, 3],
  });
  const middle = scan.voxels.subarray(pixels, 2 * pixels);
  return middle.map((hu) => Math.min(1, Math.max(0, (hu + 1000) / 1400)));
}

/** The gradient of binary cross-entropy towards 1 for one image, at weights drawn from `seed`. */
function imageGradient(image: Float32Array, seed: number): Float32Array {
  const random = createRandom(seed);
  const weights = Float32Array.from({ length: parameters }, () => random.normal(0, 1 / imageSide));
  const output = weights.subarray(outputAt).map(() => random.normal(0, 1));
  const activations = Array.from({ length: hiddenUnits }, (_, unit) =>
    sigmoid(dot(weightsOf(weights, unit), image) + (weights[biasesAt + unit] ?? 0)),
  );
  const prediction = sigmoid(dot(output, [...activations, 1]));
  const error = prediction - 1;
  const gradient = new Float32Array(parameters);
  activations.forEach((activation, unit) => {
    const slope = error * (output[unit] ?? 0) * activation * (1 - activation);
    gradient.set(
      image.map((value) => slope * value),
      unit * pixels,
    );
    gradient[biasesAt + unit] = slope;
    gradient[outputAt + unit] = error * activation;
  });
  gradient[parameters - 1] = error;
  return gradient;
}

/**
 * Rebuilds the image from what was released: in a dense layer, a unit's weight gradient is its bias gradient times the input.
 *
 * @see Phong et al. 2017, Privacy-Preserving Deep Learning via Additively Homomorphic Encryption, section 3; Geiping et al. 2020,
 * Inverting Gradients, proposition 3.1
 */
function invert(released: Float32Array, truth: Target): Inversion {
  const units = Array.from({ length: hiddenUnits }, (_, unit) => unit);
  const biasOf = (vector: Float32Array, unit: number): number => vector[biasesAt + unit] ?? 0;
  const strongest = units.reduce((best, unit) =>
    Math.abs(biasOf(released, unit)) > Math.abs(biasOf(released, best)) ? unit : best,
  );
  const bias = biasOf(released, strongest);
  const told = new Float64Array(pixels);
  for (const unit of units) {
    const weight = biasOf(truth.gradient, unit);
    weightsOf(released, unit).forEach((value, i) => {
      told[i] = (told[i] ?? 0) + weight * value;
    });
  }
  return {
    strongestUnit: correlation(
      truth.image,
      weightsOf(released, strongest).map((value) => value / bias),
    ),
    toldBiases: correlation(truth.image, told),
  };
}

function weightsOf(vector: Float32Array, unit: number): Float32Array {
  return vector.subarray(unit * pixels, (unit + 1) * pixels);
}

function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const x = centred(a);
  const y = centred(b);
  return Math.abs(dot(x, y)) / Math.sqrt(dot(x, x) * dot(y, y));
}

function centred(values: ArrayLike<number>): Float64Array {
  const copy = Float64Array.from(values);
  const mean = copy.reduce((sum, value) => sum + value, 0) / copy.length;
  return copy.map((value) => value - mean);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
