import { createMechanism, oneByOne } from '@consilium/privacy';
import { createLayout, type Layout, putPart, type RandomBytes, takePart } from '@consilium/weights';
import type { StudyState } from '../replay.ts';
import { type AuditStudyInit, learningRate } from './study-manifest-fixture.ts';

/** For tests: how much of the claimed noise is added, in how many steps. */
export interface PrivateTrainingInit {
  readonly noiseShare: number;
  readonly steps: number;
}

/** For tests: who trains. */
export interface PrivateTrainer {
  readonly layout: Layout;
  readonly init: AuditStudyInit;
  readonly random: RandomBytes;
}

/**
 * For tests: the change of the shared weights that a site's private training makes, as `consilium start` does it: steps of plain SGD against what the mechanism releases, over the trained
 * tensors. Every patient pulls towards weights of its own, hard enough to be clipped.
 */
export async function trainPrivately(
  { layout, init, random }: PrivateTrainer,
  patients: number,
  { weights, manifest }: StudyState,
  { noiseShare, steps }: PrivateTrainingInit,
): Promise<Float32Array> {
  const { privacy: policy } = init;
  if (!policy) throw new RangeError('the study promises no privacy');
  const names = new Set(policy.trainable);
  const trained = createLayout(layout.tensors.filter(({ name }) => names.has(name)));
  const mechanism = createMechanism(
    { random },
    {
      sampleRate: policy.sampleRate,
      noiseMultiplier: policy.noiseMultiplier * noiseShare,
      clipNorm: policy.clipNorm,
      gridExponent: policy.gradientExponent,
      expectedBatch: policy.sampleRate * patients,
    },
  );
  const start = Float32Array.from(weights, (value) => value * 2 ** manifest.gridExponent);
  const moving = takePart(layout, trained, start);
  for (let step = 0; step < steps; step++) {
    const released = await mechanism.step({
      patients,
      dimension: trained.length,
      gradientsOf: oneByOne(async (patient) =>
        moving.map((value, i) => value - Math.sin(1 + i * 0.37 + (patient % 3))),
      ),
    });
    for (let i = 0; i < moving.length; i++) {
      moving[i] = (moving[i] as number) - learningRate * (released[i] as number);
    }
  }
  const end = start.slice();
  putPart(layout, trained, end, moving);
  return end.map((value, i) => value - (start[i] as number));
}
