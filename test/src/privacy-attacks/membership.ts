import { createRandom, type Random } from '@consilium/imaging/phantom';
import {
  createMechanism,
  type MechanismSpec,
  type MechanismStep,
  noiseMultiplierFor,
  oneByOne,
} from '@consilium/privacy';
import { type RocArea, rocArea } from '@consilium/privacy/audit';
import { seededBytes } from './seeded-bytes.ts';

/** What makes one step's update of the patients' gradients. */
type Update = (step: MechanismStep) => Promise<Float32Array>;

/** Without privacy: the mean gradient of everybody. */
const meanOfAll: Update = async ({ patients, dimension, gradientsOf }) => {
  const mean = new Float32Array(dimension);
  for await (const gradient of gradientsOf(Array.from({ length: patients }, (_, i) => i))) {
    for (let i = 0; i < dimension; i++) mean[i] = (mean[i] ?? 0) + (gradient[i] ?? 0) / patients;
  }
  return mean;
};

/** How well an attacker tells who was trained on. */
export interface MembershipAttack {
  /** By the loss of the final weights: who was trained on has a smaller one. */
  readonly loss: RocArea;
  /** By the inner product of a patient's gradients with the updates that were made of them: a member of the study sees every update. */
  readonly updates: RocArea;
  /** Share of the others' slices that the final weights tell rightly, beside 0.5 by guessing. */
  readonly accuracy: number;
}

/** Slices of numbers, and a label that depends on them a little. */
interface SlicedPatient {
  readonly slices: readonly Float32Array[];
  readonly label: 0 | 1;
}

const cohort = {
  patients: 80,
  /** More than there are patients: logistic regression can learn each one by heart. */
  dimension: 120,
  slices: 5,
  /** What all patients have in common, as chests do: its length in lengths of what a patient has alone. */
  common: 4,
} as const;

const privateSteps = 60;
/** What a strict study would use to stay within ε 2.4 at δ 1e-5. */
const strict: MechanismSpec = {
  sampleRate: 0.25,
  noiseMultiplier: noiseMultiplierFor(2.4, 1e-5, 0.25, privateSteps, 'rdp'),
  clipNorm: 0.8,
  gridExponent: -20,
  expectedBatch: 0.25 * cohort.patients,
};

/** Trains until nearly everybody is known by heart, and attacks. */
export function attackWithoutPrivacy(seed: number): Promise<MembershipAttack> {
  return attackMembership(meanOfAll, { steps: 600, learningRate: 0.004 }, seed);
}

/** Trains as a strict study does, 60 steps with a quarter of the patients in each, and attacks. */
export function attackWithPrivacy(seed: number): Promise<MembershipAttack> {
  const mechanism = createMechanism({ random: seededBytes('membership', seed) }, strict);
  const training = { steps: privateSteps, learningRate: 0.1 };
  return attackMembership((step) => mechanism.step(step), training, seed);
}

/**
 * Trains logistic regression from zero on one half of the patients that `seed` makes up, and attacks it with both halves.
 *
 * @see Yeom et al. 2018, Privacy Risk in Machine Learning, for the loss; Nasr, Shokri and Houmansadr 2019, Comprehensive Privacy
 * Analysis of Deep Learning, for the updates
 */
async function attackMembership(
  update: Update,
  { steps, learningRate }: { steps: number; learningRate: number },
  seed: number,
): Promise<MembershipAttack> {
  const { patients, dimension } = cohort;
  const random = createRandom(seed);
  const draw = createPatients(random);
  const members = Array.from({ length: patients }, () => draw());
  const others = Array.from({ length: patients }, () => draw());

  const weights = new Float32Array(dimension);
  const memberShare = new Float64Array(patients);
  const otherShare = new Float64Array(patients);
  for (let step = 0; step < steps; step++) {
    const gradients = members.map((patient) => gradientOf(patient, weights));
    const released = await update({
      patients,
      dimension,
      gradientsOf: oneByOne(async (patient) => gradients[patient] ?? new Float32Array(dimension)),
    });
    addShares(memberShare, gradients, released);
    addShares(
      otherShare,
      others.map((patient) => gradientOf(patient, weights)),
      released,
    );
    for (let i = 0; i < dimension; i++) {
      weights[i] = (weights[i] ?? 0) - learningRate * (released[i] ?? 0);
    }
  }
  const losses = (group: readonly SlicedPatient[]): number[] =>
    group.map((patient) => -meanOf(patient.slices.map((slice) => loss(slice, patient, weights))));
  return {
    loss: rocArea(losses(members), losses(others), seededBytes('bootstrap', seed)),
    updates: rocArea(memberShare, otherShare, seededBytes('bootstrap', seed)),
    accuracy: meanOf(
      others.flatMap(({ slices, label }) =>
        slices.map((slice) => (dot(slice, weights) > 0 === (label === 1) ? 1 : 0)),
      ),
    ),
  };
}

/** A source of patients that have something in common. */
function createPatients(random: Random): () => SlicedPatient {
  const { dimension, slices, common } = cohort;
  const normals = (stdDev: number): Float32Array =>
    Float32Array.from({ length: dimension }, () => random.normal(0, stdDev));
  const shared = normals(common);
  const rule = normals(1);
  return () => {
    const own = normals(1);
    const label = dot(own, rule) + random.normal(0, Math.sqrt(dimension)) > 0 ? 1 : 0;
    return {
      label,
      slices: Array.from({ length: slices }, () =>
        normals(0.5).map((value, i) => value + (shared[i] ?? 0) + (own[i] ?? 0)),
      ),
    };
  };
}

/** The mean over the patient's slices. */
function gradientOf({ slices, label }: SlicedPatient, weights: Float32Array): Float32Array {
  const gradient = new Float32Array(weights.length);
  for (const slice of slices) {
    const error = (sigmoid(dot(slice, weights)) - label) / slices.length;
    for (let i = 0; i < gradient.length; i++) {
      gradient[i] = (gradient[i] ?? 0) + error * (slice[i] ?? 0);
    }
  }
  return gradient;
}

/** Adds to each patient's share the released update along the patient's own direction. */
function addShares(
  shares: Float64Array,
  gradients: readonly Float32Array[],
  released: Float32Array,
): void {
  gradients.forEach((gradient, patient) => {
    const norm = Math.sqrt(dot(gradient, gradient));
    if (norm > 0) shares[patient] = (shares[patient] ?? 0) + dot(gradient, released) / norm;
  });
}

function loss(slice: Float32Array, { label }: SlicedPatient, weights: Float32Array): number {
  const margin = (label === 1 ? 1 : -1) * dot(slice, weights);
  return Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin)));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
