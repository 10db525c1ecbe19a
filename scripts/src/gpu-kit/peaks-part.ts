import { createGraph, type Graph, type Shape, sizeOf, type Value } from '@consilium/compute';
import { type EngineChoice, openEngine } from './kit-engine.ts';
import { type Patience, timeRuns } from './stopwatch.ts';
import { startWeights } from './unet-step.ts';

export interface PeaksSettings extends EngineChoice {
  /** Tensors large enough to fill a GPU; small enough for a processor; or next to nothing, where a processor plays the GPU. */
  readonly tensors: 'large' | 'small' | 'tiny';
  readonly patience: Patience;
}

/** What the engine itself reaches at its best: the floors of the profile are computed from these. Infinite where a machine was too busy to tell. */
export interface PeaksRow {
  /** Of a 3×3 convolution from 64 to 64 channels. */
  readonly gflopPerSecond: number;
  /** Of an elementwise operator: bytes read and written. */
  readonly gbytePerSecond: number;
  /** What an operator costs that has next to nothing to do. */
  readonly launchMicroseconds: number;
}

const shapes: Readonly<Record<PeaksSettings['tensors'], Record<'image' | 'wide', Shape>>> = {
  large: { image: [8, 64, 128, 128], wide: [16, 1024, 1024] },
  small: { image: [1, 64, 64, 64], wide: [4, 1024, 1024] },
  tiny: { image: [1, 64, 16, 16], wide: [64, 1024] },
};

/**
 * Measures by differences: the same graph with a short and with a long chain of one operator. What a run costs
 * beside (copies in and out, the submission) is in both and falls away.
 */
export async function peaksPart(
  settings: PeaksSettings,
  say: (row: PeaksRow) => void,
): Promise<void> {
  const { tensors, patience } = settings;
  const { image, wide } = shapes[tensors];
  const slopeMs = async (build: (links: number) => Graph, short: number, long: number) => {
    const times: number[] = [];
    for (const links of [short, long]) {
      const engine = await openEngine(settings);
      const graph = build(links);
      const program = await engine.compile(graph);
      const inputs = {
        x: new Float32Array(sizeOf(graph.nodes[graph.inputs[0] ?? 0]?.shape ?? [])),
      };
      inputs.x.fill(0.5);
      const weights = startWeights(graph, 7);
      // The fastest, since a difference of two medians of a busy machine may come out negative.
      times.push((await timeRuns(() => program.run(inputs, weights), patience)).fastestMs);
      await engine.close();
    }
    // Not above zero where the machine was busier than the chain is long: then there is no figure, and no floor from it.
    return Math.max(0, (times[1] ?? 0) - (times[0] ?? 0)) / (long - short);
  };
  const flop = 2 * 64 * 9 * sizeOf(image);
  const convMs = await slopeMs((links) => convolutions(image, links), 2, 8);
  const wideMs = await slopeMs((links) => elementwise(wide, links), 4, 20);
  const launchMs = await slopeMs((links) => elementwise([64], links), 20, 120);
  say({
    gflopPerSecond: flop / convMs / 1e6,
    gbytePerSecond: (8 * sizeOf(wide)) / wideMs / 1e6,
    launchMicroseconds: launchMs * 1000,
  });
}

function convolutions(image: Shape, links: number): Graph {
  const g = createGraph();
  let x: Value = g.input('x', image);
  for (let i = 0; i < links; i++) x = g.conv2d(x, g.parameter(`w${i}`, [64, 64, 3, 3]));
  g.output('y', g.mean(x));
  return g.build();
}

/** Multiplications by a constant: one read and one write a value, and hardly any arithmetic. */
function elementwise(shape: Shape, links: number): Graph {
  const g = createGraph();
  let x: Value = g.input('x', shape);
  for (let i = 0; i < links; i++) x = g.scale(x, 0.999);
  g.output('y', g.mean(x));
  return g.build();
}
