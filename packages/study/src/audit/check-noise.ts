import { decodePayload, toGrid } from '@consilium/weights';
import type { BlobReader } from '../sum.ts';
import { counted } from './counted.ts';
import { type Evidence, nameOf } from './evidence.ts';
import {
  falseAlarm,
  type Shortfall,
  shortfalls,
  siteShortfall,
  testsOfUpdate,
} from './noise-floor.ts';
import { innerProduct, isShared, type SuspectPair, searchPairs } from './noise-reuse.ts';
import type { NoiseTerms } from './noise-terms.ts';
import { largestNorm } from './norm-band.ts';
import type { PayloadPass } from './payload-pass.ts';
import type { UpdateNoise } from './update-noise.ts';
import type { Answer } from './verdict.ts';

/** Pairs whose updates are compared in full; a study that has more is found out by these. */
const mostSuspects = 1_000;

/**
 * Whether private updates hold the noise that they claim, and each its own; and, for the answer about payloads, whether they are no larger than that.
 *
 * @param initialPeak the largest magnitude of the initial weights
 */
export async function checkNoise(
  evidence: Evidence,
  pass: PayloadPass,
  initialPeak: number,
  answers: { readonly noise: Answer; readonly payloads: Answer },
  payloads: BlobReader,
): Promise<void> {
  const { terms, noises } = pass;
  checkEqualPayloads(evidence, answers.noise);
  if (typeof terms === 'string') {
    answers.noise.leaveOpen(`Not tested: ${terms}.`);
    answers.payloads.remark(`No bound on the norm: ${terms}.`);
    return;
  }
  const errors = floatErrors(noises, initialPeak);
  checkNorms(terms, noises, errors, answers.payloads);
  checkFloors(evidence, terms, noises, errors, answers.noise);
  const search = searchPairs(terms, noises, errors);
  const { suspects, compared, tooWeak } = search;
  for (const pair of suspects.slice(0, mostSuspects)) {
    await checkPair(evidence, terms, pair, payloads, answers.noise);
  }
  if (tooWeak > 0) {
    answers.noise.remark(
      `Not told of ${counted(tooWeak, 'pair')} of updates: whether they share noise. It is too weak beside what gradients may be to tell that from like patients; equal payloads alone would be seen.`,
    );
  }
  const sites = new Set(noises.map(({ update }) => update.site)).size;
  const tests = noises.length * (1 + testsOfUpdate(terms)) + sites + 1;
  answers.noise.state(
    `Tested against the noise that the manifest implies: ${counted(noises.length, 'private update')} of ${counted(terms.coordinates, 'trained value')} each; for shared noise: ${counted(compared, 'pair')}. An honest study fails one of these ${counted(tests, 'test')} with a probability of at most ${(tests * falseAlarm).toPrecision(2)}.`,
  );
}

/** What float32 arithmetic on weights can have changed in each value of an update, at most: half a unit in the last place for every step, and once more. */
function floatErrors(noises: readonly UpdateNoise[], initialPeak: number): number {
  const peaks = Map.groupBy(noises, ({ update }) => update.round);
  const moved = [...peaks.values()]
    .map((ofRound) => Math.max(...ofRound.map(({ peak }) => peak)))
    .reduce((sum, peak) => sum + peak, 0);
  const steps = Math.max(0, ...noises.map((noise) => noise.steps));
  return (steps + 1) * 2 ** -24 * 2 * (initialPeak + moved);
}

function checkNorms(
  terms: NoiseTerms,
  noises: readonly UpdateNoise[],
  floatError: number,
  answer: Answer,
): void {
  const coarsest = new Map<string, number>();
  for (const noise of noises) {
    const { site, author, index, round } = noise.update;
    const coarsestStep = Math.max(noise.coarsestStep, coarsest.get(site) ?? 0);
    coarsest.set(site, coarsestStep);
    const norm = Math.sqrt(noise.squares);
    const most = largestNorm(terms, noise, { coarsestStep, floatError });
    if (norm <= most) continue;
    const message = `the update of round ${round} has norm ${norm.toPrecision(4)}; its parameters allow ${most.toPrecision(4)}`;
    answer.find({ code: 'NORM_BAND', site: author, index, message });
  }
}

function checkFloors(
  evidence: Evidence,
  terms: NoiseTerms,
  noises: readonly UpdateNoise[],
  floatError: number,
  answer: Answer,
): void {
  for (const noise of noises) {
    const { author, index, round } = noise.update;
    for (const short of shortfalls(terms, noise, floatError)) {
      const message = `the update of round ${round} ${saying(short)}`;
      answer.find({ code: 'NOISE_FLOOR', site: author, index, message });
    }
  }
  const bySite = Map.groupBy(noises, ({ update }) => update.site);
  for (const [site, ofSite] of bySite) {
    const short = siteShortfall(terms, ofSite, floatError);
    if (short === null || ofSite.length < 2) continue;
    const message = `all ${counted(ofSite.length, 'update')} of ${nameOf(evidence, site)} together: each ${saying(short)}`;
    answer.find({ code: 'NOISE_FLOOR', site, index: null, message });
  }
}

function saying({ tensor, coordinates, share, probability }: Shortfall): string {
  const where = tensor === null ? `its ${coordinates} trained values` : `tensor ${tensor}`;
  return `holds ${(100 * Math.sqrt(share)).toFixed(1)} % of the claimed deviation in ${where}; so little has a probability of ${probability.toExponential(1)}`;
}

async function checkPair(
  { founding }: Evidence,
  terms: NoiseTerms,
  pair: SuspectPair,
  payloads: BlobReader,
  answer: Answer,
): Promise<void> {
  const values = async ({ update }: UpdateNoise): Promise<Float64Array> => {
    const bytes = await payloads.get(update.payload);
    if (bytes === undefined) return new Float64Array(founding.layout.length);
    const grid = toGrid(decodePayload(founding.layout, bytes), founding.manifest.gridExponent);
    const step = 2 ** founding.manifest.gridExponent;
    return Float64Array.from(grid, (value) => value * step);
  };
  const { one, other } = pair;
  const product = innerProduct(terms, await values(one), await values(other));
  // Equal payloads have been named already.
  if (one.update.payload === other.update.payload || !isShared(pair, product)) return;
  const correlation = product / Math.sqrt(one.squares * other.squares);
  const { site, round } = one.update;
  const message = `its update of round ${other.update.round} and that of ${site} in round ${round} correlate by ${correlation.toFixed(3)}; independent noise allows ${pair.mostCorrelation.toFixed(3)}`;
  const { author, index } = other.update;
  answer.find({ code: 'NOISE_REUSED', site: author, index, message });
}

/** Two private updates are never equal. */
function checkEqualPayloads({ founding, decisions }: Evidence, answer: Answer): void {
  if (founding.manifest.privacy.profile === 'off') return;
  const seen = new Map<string, (typeof decisions.updates)[number]>();
  for (const update of decisions.updates) {
    const { author, index, round, payload } = update;
    const first = seen.get(payload);
    seen.set(payload, first ?? update);
    if (first === undefined) continue;
    const message = `the payload of round ${round} is that of ${first.site} in round ${first.round}`;
    answer.find({ code: 'NOISE_REUSED', site: author, index, message });
  }
}
