import { decodePayload, toGrid, WeightsError, weightsDigest } from '@consilium/weights';
import type { Heads } from '../history.ts';
import { initialName, stateName } from './bundle-index.ts';
import type { Evidence } from './evidence.ts';
import type { Answer } from './verdict.ts';

/**
 * x₀ on the study’s grid; null, with a finding, where the bundle does not have what the manifest names.
 * @throws {StudyError} `BUNDLE_DAMAGED`.
 */
export async function readInitial(
  { bundle, founding }: Evidence,
  answer: Answer,
): Promise<Int32Array | null> {
  const { digest } = founding.manifest.initialWeights;
  const bad = (message: string): null => {
    answer.find({ code: 'BAD_FOUNDING', site: null, index: null, message });
    return null;
  };
  const file = bundle.file(initialName);
  if (file?.sha256 !== Buffer.from(digest).toString('hex')) {
    return bad('the initial weights of the bundle are not those that the manifest names');
  }
  const { layout, manifest } = founding;
  try {
    return toGrid(decodePayload(layout, await bundle.read(initialName)), manifest.gridExponent);
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    return bad(`the initial weights are refused: ${error.message}`);
  }
}

/**
 * Whether the state that the bundle shows is the one of its logs, and its weights are those of its name.
 * @throws {StudyError} `BUNDLE_DAMAGED`.
 */
export async function checkShownState(evidence: Evidence, answer: Answer): Promise<void> {
  const { bundle, founding } = evidence;
  const { digest, heads } = bundle.index.state;
  if (JSON.stringify(heads) !== JSON.stringify(headsOf(evidence))) {
    const message = 'the heads of the state that is shown are not those of the logs in the bundle';
    answer.find({ code: 'WRONG_HEADS', site: null, index: null, message });
  }
  const { layout, manifest } = founding;
  const wrong = (message: string): void =>
    answer.find({ code: 'WRONG_WEIGHTS', site: null, index: null, message });
  try {
    const sent = decodePayload(layout, await bundle.read(stateName));
    const isPlain =
      sent.bits === 32 && sent.exponents.every((each) => each === manifest.gridExponent);
    const shown = weightsDigest(layout, manifest.gridExponent, sent.values);
    if (!isPlain) wrong('the weights that are shown are not 32-bit integers on the grid');
    else if (shown !== digest)
      wrong(`the weights that are shown have digest ${shown}, not ${digest}`);
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    wrong(`the weights that are shown are refused: ${error.message}`);
  }
}

/** Where every log that counts stands, ascending by author: as a state’s heads. */
function headsOf({ history, logs }: Evidence): Heads {
  return history.speeches
    .flatMap(({ voices }) => voices)
    .filter(({ records }) => records.length > 0)
    .map(({ key, records }) => {
      const root = logs.get(key)?.roots[records.length - 1] ?? '';
      return { author: key, size: records.length, root };
    })
    .sort((a, b) => (a.author < b.author ? -1 : 1));
}
