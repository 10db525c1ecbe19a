import { compileReader, type Graph, sizeOf } from '@consilium/compute';
import { defaultTask, forwardGraph } from '@consilium/model';
import { type EngineChoice, openEngine } from './kit-engine.ts';
import { type Patience, timeRuns } from './stopwatch.ts';
import { drawBatch, type StepSize, startWeights, unetReader } from './unet-step.ts';

/** `reference`: the reference U-Net, one plane in. `lesion`: the network that reads scans, three neighbouring planes in. */
export type NetworkName = 'reference' | 'lesion';

export interface InferenceSettings extends EngineChoice, StepSize {
  readonly network: NetworkName;
  /** Slices of a whole scan. */
  readonly slices: number;
  readonly patience: Patience;
}

export interface InferenceRow extends StepSize {
  readonly network: NetworkName;
  readonly slices: number;
  readonly runs: number;
  /** One run's time by its slices. */
  readonly msPerSlice: number;
  /** All slices of a scan one batch after the other, images in and probabilities out, nothing else. */
  readonly scanMs: number;
}

/** How long a network takes for one batch of slices, and for a whole scan: with its weights inside, as a node reads. */
export async function inferencePart(
  settings: InferenceSettings,
  say: (row: InferenceRow) => void,
): Promise<void> {
  const { network, batch, size, slices, patience } = settings;
  const graph = readerGraph(network, settings);
  const reader = await compileReader(await openEngine(settings), graph, startWeights(graph, 7));
  const inputs = feedsOf(graph, settings);
  const readBatch = (): Promise<unknown> => reader.run(inputs);
  const once = await timeRuns(readBatch, patience);
  const began = performance.now();
  for (let first = 0; first < slices; first += batch) await readBatch();
  const scanMs = performance.now() - began;
  const msPerSlice = once.medianMs / batch;
  say({ network, batch, size, slices, runs: once.runs, msPerSlice, scanMs });
}

function readerGraph(network: NetworkName, { batch, size }: StepSize): Graph {
  return network === 'reference'
    ? unetReader({ batch, size })
    : forwardGraph({ ...defaultTask.network, size }, batch);
}

function feedsOf(graph: Graph, step: StepSize): Record<string, Float32Array> {
  const { image } = drawBatch(step, 5);
  return Object.fromEntries(
    graph.inputs.map((index) => {
      const node = graph.nodes[index];
      const length = sizeOf(node?.shape ?? []);
      return [
        node?.name ?? '',
        Float32Array.from({ length }, (_, i) => image[i % image.length] ?? 0),
      ];
    }),
  );
}
