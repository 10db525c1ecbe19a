import { createCipheriv, createHash } from 'node:crypto';
import type { ManifestBody, PrivatePolicy, SiteKey } from '@consilium/records';
import { createLayout, encodePayload, type GridBits, type Layout } from '@consilium/weights';

/** For tests: what a study is like. */
export interface AuditStudyInit {
  readonly seed: string;
  /** Declared patients of each trainer; one validator comes on top. */
  readonly patients: readonly number[];
  readonly rounds: number;
  /** Values that are trained, in two tensors; three more are not. @default 40 */
  readonly coordinates?: number;
  readonly privacy?: PrivatePolicy | null;
  readonly payloadBits?: GridBits;
  readonly witnessQuorum?: number;
  /** Private steps a round. @default 3 */
  readonly steps?: number;
  /** Keys behind the validator's that the manifest does not name. @default 0 */
  readonly spareKeys?: number;
}

/** For tests: private terms with room for any small study. */
export const generousPolicy: PrivatePolicy = {
  profile: 'reconstruction-guard',
  epsilon: 1_000,
  delta: 1e-4,
  sampleRate: 0.5,
  noiseMultiplier: 1.5,
  clipNorm: 0.75,
  gradientExponent: -20,
  slicesPerPatient: 1,
  trainable: ['kernel', 'bias'],
};

/** For tests: the rate of a private study’s training. */
export const learningRate = 0.05;

const gridExponent = -20;

/** For tests: three values that nobody trains, and two tensors that all do. */
export function studyLayout({ coordinates = 40 }: AuditStudyInit): Layout {
  return createLayout([
    { name: 'frozen', shape: [3] },
    { name: 'kernel', shape: [coordinates - 7] },
    { name: 'bias', shape: [7] },
  ]);
}

/** For tests: what a study begins from. */
export function initialPayload(layout: Layout): Uint8Array {
  const values = Int32Array.from({ length: layout.length }, (_, i) => ((i * 7919) % 3001) - 1500);
  const exponents = new Int8Array(layout.tensors.length).fill(gridExponent);
  return encodePayload({ layout, bits: 32, exponents, values });
}

/** For tests: a manifest whose training is plain SGD at a constant rate. */
export function studyManifest(
  init: AuditStudyInit,
  keys: readonly SiteKey[],
  initial: Uint8Array,
): ManifestBody {
  const { patients, rounds, privacy = null, witnessQuorum = 2, steps = 3 } = init;
  const constant = { optimizer: 'sgd', momentum: 0, warmupSteps: 0, finalRate: 1 };
  const training = { ...constant, learningRate, stepsPerRound: steps };
  return {
    name: 'audited study',
    task: { kind: 'lesion', version: 1, training },
    layout: studyLayout(init).tensors.map(({ name, shape }) => ({ name, shape })),
    initialWeights: { digest: sha256(initial), bytes: initial.length },
    gridExponent,
    privacy: privacy ?? { profile: 'off' },
    aggregation: { rule: 'weighted-mean' },
    rounds: { count: rounds + 4, deadlineSeconds: 60, quorum: 2 },
    witnesses: { quorum: witnessQuorum },
    roster: keys.slice(0, patients.length + 1).map(({ id }, i) => ({
      site: id,
      name: `site-${i}`,
      role: i < patients.length ? 'trainer' : 'validator',
      patients: patients[i] ?? 0,
      addresses: [],
    })),
  };
}

/** For tests: bytes that a seed decides: AES-256 in counter mode. */
export function seeded(seed: string): (count: number) => Uint8Array {
  const cipher = createCipheriv('aes-256-ctr', sha256(seed), Buffer.alloc(16));
  return (count) => new Uint8Array(cipher.update(Buffer.alloc(count)));
}

export function sha256(data: string | Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}
