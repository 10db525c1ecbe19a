import {
  createGraph,
  type Graph,
  type GraphBuilder,
  layoutOf,
  type Value,
} from '@consilium/compute';
import type { Layout } from '@consilium/weights';
import { seeded } from './seeded.ts';
import type { LesionTask, NetworkSpec } from './task.ts';

/** Channels of the network's input: the slices, lowest first, then the lung of the first pass where there is one. */
export function inputChannels(spec: NetworkSpec): number {
  return spec.slices + (spec.lungInput ? 1 : 0);
}

/**
 * The forward graph for `batch` slices: input `image` [batch, inputChannels, size, size], outputs `lung` and `lesion`,
 * probabilities [batch, 1, size, size].
 *
 * A 2.5-D U-Net: at each level two times 3×3 convolution, group norm and ReLU; maxima of 2×2 going down, nearest neighbours
 * and the skip connection coming up; one 1×1 convolution for each output. Every group norm has a scale and a shift
 * that the network shares, plus corrections `site/…` of the site's own.
 *
 * @see Ronneberger et al. 2015, U-Net; Wu and He 2018, Group Normalization
 */
export function forwardGraph(spec: NetworkSpec, batch: number): Graph {
  const graph = createGraph();
  const { lung, lesion } = buildNetwork(graph, spec, batch);
  graph.output('lung', graph.sigmoid(lung));
  graph.output('lesion', graph.sigmoid(lesion));
  return graph.build();
}

/**
 * The loss for one batch: inputs `image` as in {@link forwardGraph}, `lungTruth` and `lesionTruth` [batch, 1, size, size] in [0, 1];
 * outputs `loss` and, to watch, `lesionDice`, the lesion's part 1 − soft Dice.
 *
 * loss = lesion (cross-entropy + soft Dice over the batch) + lungWeight · lung (the same).
 * The Dice term is what keeps a site with small lesions from calling everything background: cross-entropy alone is
 * nearly satisfied by that.
 */
export function lossGraph(task: LesionTask): Graph {
  const { network, training } = task;
  const graph = createGraph();
  const { lung, lesion } = buildNetwork(graph, network, training.batch);
  const shape = [training.batch, 1, network.size, network.size];
  const lungTruth = graph.input('lungTruth', shape);
  const lesionTruth = graph.input('lesionTruth', shape);
  const lesionDice = graph.softDiceLoss(lesion, lesionTruth);
  const lesionLoss = graph.add(graph.bceWithLogits(lesion, lesionTruth), lesionDice);
  const lungLoss = graph.add(
    graph.bceWithLogits(lung, lungTruth),
    graph.softDiceLoss(lung, lungTruth),
  );
  graph.output('loss', graph.add(lesionLoss, graph.scale(lungLoss, training.lungWeight)));
  graph.output('lesionDice', lesionDice);
  return graph.build();
}

/** The canonical order of the network's weights, the site's own ones included. */
export function networkLayout(spec: NetworkSpec): Layout {
  return layoutOf(forwardGraph(spec, 1));
}

/**
 * The weights to start from, the same on every machine for the same seed: convolutions normal with variance 2 ÷ fan-in
 * (twelve uniforms each, no transcendental function), scales 1, everything else 0, all rounded to multiples of 2^-20, so that they
 * lie on a study's grid of that or a finer step.
 *
 * @see He et al. 2015, Delving Deep into Rectifiers
 */
export function initialWeights(spec: NetworkSpec, seed: number): Float32Array {
  const layout = networkLayout(spec);
  const weights = new Float32Array(layout.length);
  for (const { name, shape, offset, length } of layout.tensors) {
    const values = weights.subarray(offset, offset + length);
    if (name.endsWith('/weight')) {
      const random = seeded('initial weights', seed, name);
      const fanIn = length / (shape[0] as number);
      const deviation = Math.sqrt((name.startsWith('head/') ? 1 : 2) / fanIn);
      for (let i = 0; i < length; i++) {
        values[i] = Math.round(random.normal() * deviation * 2 ** 20) / 2 ** 20;
      }
    } else if (name.endsWith('/scale') && !name.startsWith('site/')) {
      values.fill(1);
    }
  }
  return weights;
}

function buildNetwork(
  graph: GraphBuilder,
  spec: NetworkSpec,
  batch: number,
): { lung: Value; lesion: Value } {
  const image = graph.input('image', [batch, inputChannels(spec), spec.size, spec.size]);
  const skips: Value[] = [];
  let x = image;
  for (const [level, channels] of spec.channels.entries()) {
    x = level === 0 ? x : graph.maxPool2d(x);
    x = block(graph, `down${level}/a`, x, channels, spec.groups);
    x = block(graph, `down${level}/b`, x, channels, spec.groups);
    skips.push(x);
  }
  for (let level = spec.channels.length - 2; level >= 0; level--) {
    const channels = spec.channels[level] as number;
    x = graph.concat([graph.upsample2d(x), skips[level] as Value]);
    x = block(graph, `up${level}/a`, x, channels, spec.groups);
    x = block(graph, `up${level}/b`, x, channels, spec.groups);
  }
  return { lung: head(graph, 'lung', x), lesion: head(graph, 'lesion', x) };
}

function block(
  graph: GraphBuilder,
  name: string,
  x: Value,
  channels: number,
  groups: number,
): Value {
  const weight = graph.parameter(`${name}/weight`, [channels, x.shape[1] as number, 3, 3]);
  const scale = corrected(graph, `${name}/scale`, channels);
  const shift = corrected(graph, `${name}/shift`, channels);
  return graph.relu(graph.groupNorm(graph.conv2d(x, weight), scale, shift, groups));
}

/** What all sites share plus what belongs to this one. */
function corrected(graph: GraphBuilder, name: string, channels: number): Value {
  return graph.add(graph.parameter(name, [channels]), graph.parameter(`site/${name}`, [channels]));
}

function head(graph: GraphBuilder, name: string, x: Value): Value {
  const weight = graph.parameter(`head/${name}/weight`, [1, x.shape[1] as number, 1, 1]);
  return graph.conv2d(x, weight, graph.parameter(`head/${name}/bias`, [1]));
}
