import type { EvaluationBody } from '@consilium/records';
import { encodePayload } from '@consilium/weights';
import { archive, type Forgery } from './archive-fixture.ts';
import type { AuditFinding } from './audit-finding.ts';
import { AuditStudy } from './audit-fixture.ts';
import type { BundleParts } from './plan-bundle.ts';
import { type AuditStudyInit, generousPolicy } from './study-manifest-fixture.ts';

/** For tests: a way in which a study or a bundle is not what it must be. */
export interface Fault {
  readonly name: string;
  /** Codes that an audit finds, in its order; the first one names the fault, the others follow from it. */
  readonly codes: readonly AuditFinding['code'][];
  make(): Promise<Uint8Array>;
}

/** Three trainers and a validator, two rounds, nothing private. The validator is site 3. */
export const open: AuditStudyInit = { seed: 'faults', patients: [20, 30, 50], rounds: 2 };
export const validator = 3;
/** Every patient in every step, and one step: then little can be signal, and a shared noise shows. */
export const noisy: AuditStudyInit = {
  seed: 'noisy',
  patients: [10, 12],
  rounds: 2,
  steps: 1,
  coordinates: 3_000,
  privacy: { ...generousPolicy, sampleRate: 1 },
};

/** A bundle of an honest study that a forger, or a site at its end, has changed. */
export function changed(
  change: (study: AuditStudy) => unknown,
  forge: (forgery: Forgery, study: AuditStudy) => void = () => undefined,
  init: AuditStudyInit = open,
): () => Promise<Uint8Array> {
  return async () => {
    const study = await new AuditStudy(init).run();
    await change(study);
    return archive(study.parts(), { payloads: true }, (forgery) => forge(forgery, study));
  };
}

/** A bundle whose parts a forger has changed before it was laid out. */
export function laidOut(
  change: (parts: BundleParts, study: AuditStudy) => BundleParts,
  init: AuditStudyInit = open,
): () => Promise<Uint8Array> {
  return async () => {
    const study = await new AuditStudy(init).run();
    return archive(change(study.parts(), study));
  };
}

/** For tests: no change. */
export function nothing(): undefined {
  return undefined;
}

export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 0x04 : byte));
}

export const metrics: EvaluationBody['metrics'] = [
  { name: 'lesion-dice', value: 0.25, low: null, high: null },
];

export function evaluation(round: number): { kind: 'evaluation'; body: EvaluationBody } {
  return { kind: 'evaluation', body: { round, state: new Uint8Array(32), patients: 5, metrics } };
}

/** A payload of the study in which the trained values are as `valueAt` says. */
export function payload(
  { layout }: AuditStudy,
  valueAt: (i: number) => number,
  exponent = -20,
): Uint8Array {
  const values = Int32Array.from({ length: layout.length }, (_, i) => (i < 3 ? 0 : valueAt(i)));
  const exponents = Int8Array.of(exponent, exponent, exponent);
  return encodePayload({ layout, bits: 32, exponents, values });
}

/** A site gives one more update, of the round after the last. */
export async function more(
  study: AuditStudy,
  site: number,
  bytes: Uint8Array,
  base: { digest?: string } = {},
): Promise<void> {
  const state = await study.state(site);
  const privacy = study.reserve(site, 3, state);
  study.give(site, 3, { ...state, ...base }, bytes, privacy);
}
