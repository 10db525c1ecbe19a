import { weightsDigest } from '@consilium/weights';
import type { AuditOptions } from './audit-progress.ts';
import type { AuditedRound } from './audit-report.ts';
import { checkNoise } from './check-noise.ts';
import { checkShownState, readInitial } from './check-weights.ts';
import { counted } from './counted.ts';
import type { Evidence } from './evidence.ts';
import { Lineage } from './lineage.ts';
import { PayloadPass, payloadsOf } from './payload-pass.ts';
import type { Answers } from './verdict.ts';
import { walkWeights } from './weights-walk.ts';

/** Payloads that are kept for states by themselves: 64 MiB. */
const keptBytes = 64 * 2 ** 20;

/**
 * Computes the model again from the payloads, round by round, and answers what depends on them: payloads, noise, weights and lineage.
 *
 * Returns the digest of every round's state; none where there are no payloads.
 */
export async function checkModel(
  evidence: Evidence,
  answers: Answers,
  { signal, onProgress }: AuditOptions,
  totalBytes: number,
): Promise<AuditedRound[]> {
  const { bundle, founding, decisions } = evidence;
  const initial = await readInitial(evidence, answers.founding);
  await checkShownState(evidence, answers.weights);
  if (initial === null || !bundle.index.payloads) {
    leaveOpen(
      answers,
      initial === null
        ? 'Not computed: the initial weights are not there.'
        : 'Not computed: the bundle has no payloads, only their digests.',
    );
    return [];
  }
  let doneBytes = 0;
  const pass = new PayloadPass(evidence, answers.payloads, (read) => {
    doneBytes += read;
    onProgress?.({ doneBytes, totalBytes });
  });
  const lineage = new Lineage(evidence);
  const rounds: AuditedRound[] = [];
  let saturated = 0;
  const walk = walkWeights({
    initial,
    updates: decisions.updates,
    gridOf: (update) => {
      signal?.throwIfAborted();
      return pass.gridOf(update);
    },
    partsOf: (round) => lineage.partsOf(round),
  });
  for await (const state of walk) {
    const digest = weightsDigest(founding.layout, founding.manifest.gridExponent, state.weights);
    lineage.hear(state.round, state.part, digest);
    if (state.part !== null) continue;
    rounds.push({ round: state.round, digest });
    saturated = state.saturated;
  }
  const payloads = payloadsOf(evidence, keptBytes);
  const { read } = pass;
  answers.payloads.state(
    `Read: ${counted(read.payloads, 'payload')}, ${counted(read.bytes, 'byte')} in all. Demanded of each: the digest that its record names, the study’s layout, and integers on its grid, so that every value is finite.`,
  );
  await checkNoise(evidence, pass, peakOf(evidence, initial), answers, payloads);
  if (pass.lacking > 0) {
    answers.weights.remark(
      `Computed without what is not in the bundle: the payload of ${counted(pass.lacking, 'update')}.`,
    );
  }
  answerWeights(evidence, answers, rounds, saturated);
  await lineage.conclude(answers.lineage, payloads);
  return rounds;
}

function leaveOpen(answers: Answers, reason: string): void {
  for (const name of ['payloads', 'noise', 'weights', 'lineage'] as const) {
    answers[name].leaveOpen(reason);
  }
}

function answerWeights(
  { bundle, decisions }: Evidence,
  { weights }: Answers,
  rounds: readonly AuditedRound[],
  saturated: number,
): void {
  const at = { site: null, index: null };
  const computed = rounds.at(-1)?.digest ?? '';
  const { digest } = bundle.index.state;
  if (computed !== digest) {
    const message = `the updates make state ${computed}, the bundle shows ${digest}`;
    weights.find({ code: 'WRONG_WEIGHTS', ...at, message });
  }
  if (saturated > 0) {
    const message = `${counted(saturated, 'weight')} held at 32 bits of the grid`;
    weights.find({ code: 'WEIGHTS_SATURATED', ...at, message });
  }
  weights.state(
    `Summed again, as integers: the initial weights and the weighted means of ${counted(decisions.updates.length, 'update')} in ${counted(rounds.length - 1, 'round')}. They make state ${computed}.`,
  );
}

/** The largest magnitude of the initial weights. */
function peakOf({ founding }: Evidence, initial: Int32Array): number {
  let peak = 0;
  for (const value of initial) peak = Math.max(peak, Math.abs(value));
  return peak * 2 ** founding.manifest.gridExponent;
}
