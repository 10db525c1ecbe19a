import {
  createGraph,
  type DiceOver,
  type Graph,
  type GraphBuilder,
  layoutOf,
  type Value,
} from '@consilium/compute';
import type { Layout } from '@consilium/weights';
import { seeded } from './seeded.ts';
import { groupsOf, type LesionTask, type NetworkSpec } from './task.ts';

/**
 * The forward graph for `batch` planes: input `image` [batch, slices, size, size], outputs `lung` and `lesion`,
 * logits [batch, 1, size, size]. The lesion's are conditional: they answer *if this is lung, is it diseased?* and mean little
 * outside the lung.
 *
 * A 2.5-D U-Net. Going down, each level but the finest has two blocks of 3×3 convolution, group norm and ReLU, the finest
 * one, with 2×2 maxima between the levels; coming up, a 1×1 convolution, nearest neighbours, the skip connection added, one block.
 * Every group norm has a scale and a shift that the network shares, plus corrections `site/…` of the site's own.
 *
 * @see Ronneberger et al. 2015, U-Net; Wu and He 2018, Group Normalization
 */
export function forwardGraph(spec: NetworkSpec, batch: number, size: number = spec.size): Graph {
  const graph = createGraph();
  const { lung, lesion } = buildNetwork(graph, spec, imageOf(graph, spec, batch, size));
  graph.output('lung', lung);
  graph.output('lesion', lesion);
  return graph.build();
}

/**
 * The forward graph for one crop, watched: for each block, before and after its group norm, and for both logits the mean square of the values. Each is finite exactly
 * while the values are, and below about 1e19. Beyond that a group norm's variance overflows and it gives zeros, which look sound; ReLU can turn NaN into 0 alike.
 */
export function watchedGraph(spec: NetworkSpec): Graph {
  const graph = createGraph();
  const watch = (name: string, x: Value): void =>
    graph.output(`${name}/square`, graph.mean(graph.mul(x, x)));
  const image = imageOf(graph, spec, 1, spec.cropSize);
  const { lung, lesion } = buildNetwork(graph, spec, image, watch);
  watch('lung', lung);
  watch('lesion', lesion);
  return graph.build();
}

/**
 * The loss of one batch of crops: input `image` [batch, slices, cropSize, cropSize], the others [batch, 1, cropSize, cropSize]:
 * `lungTruth` and `lesionTruth` in [0, 1], the latter 0 outside the true lung; `lungWeight` and `lesionWeight`, the weight of each pixel in the
 * cross-entropies, whose sums are divided by the number of all pixels; `outside`, 0 in the true lung and a large negative number elsewhere, which
 * keeps the lesion's soft Dice to the lung.
 *
 * Outputs: `loss` = lesion (cross-entropy + soft Dice) + lungWeight · lung (the same), and `lesionDiceLoss`, to watch.
 *
 * Within the lung 2 to 30 % of the pixels are lesion, in the whole plane under 4 %: asking within the lung is what keeps a site with
 * small lesions from calling everything background.
 */
export function lossGraph(task: LesionTask): Graph {
  const graph = createGraph();
  const { loss, lesionDiceLoss } = buildLoss(graph, task, task.training.batch, 'batch');
  graph.output('loss', loss);
  graph.output('lesionDiceLoss', lesionDiceLoss);
  return graph.build();
}

/**
 * The loss of one patient: the mean over `slices` slices of each slice's own loss, so that its gradient is the mean of theirs and
 * no slice counts for more than another. Inputs as those of {@link lossGraph}, with `slices` as the batch; soft Dice is taken slice by slice, and
 * the weights have to be given slice by slice.
 *
 * With several `patients`, `slices` are theirs altogether, those of each one after the other, and the loss is the sum of the patients' losses.
 *
 * One output, `loss`.
 */
export function patientLossGraph(task: LesionTask, slices: number, patients = 1): Graph {
  const graph = createGraph();
  const { loss } = buildLoss(graph, task, slices, 'sample');
  graph.output('loss', patients === 1 ? loss : graph.scale(loss, patients));
  return graph.build();
}

/**
 * The loss of {@link lossGraph} by itself: its parameters are the logits of a whole batch, `lung` and then `lesion`, so that differentiating it gives the
 * gradient by the logits. The other inputs and the outputs are the same.
 */
export function logitsLossGraph(task: LesionTask): Graph {
  const graph = createGraph();
  const { batch } = task.training;
  const shape = [batch, 1, task.network.cropSize, task.network.cropSize];
  const logits = { lung: graph.parameter('lung', shape), lesion: graph.parameter('lesion', shape) };
  const { loss, lesionDiceLoss } = lossOf(graph, task, logits, 'batch');
  graph.output('loss', loss);
  graph.output('lesionDiceLoss', lesionDiceLoss);
  return graph.build();
}

/**
 * What has, for fixed `lungSlope` and `lesionSlope` [samples, 1, cropSize, cropSize], the gradient of any loss whose gradient by the logits they are:
 * output `loss` = Σ lung · lungSlope + lesion · lesionSlope. Its value means nothing.
 */
export function slopeGraph({ network }: LesionTask, samples: number): Graph {
  const graph = createGraph();
  const { cropSize } = network;
  const { lung, lesion } = buildNetwork(graph, network, imageOf(graph, network, samples, cropSize));
  const shape = [samples, 1, cropSize, cropSize];
  const lungPart = graph.mul(lung, graph.input('lungSlope', shape));
  const lesionPart = graph.mul(lesion, graph.input('lesionSlope', shape));
  graph.output('loss', graph.sum(graph.add(lungPart, lesionPart)));
  return graph.build();
}

interface Logits {
  readonly lung: Value;
  readonly lesion: Value;
}

function buildLoss(
  graph: GraphBuilder,
  task: LesionTask,
  batch: number,
  over: DiceOver,
): { loss: Value; lesionDiceLoss: Value } {
  const image = imageOf(graph, task.network, batch, task.network.cropSize);
  return lossOf(graph, task, buildNetwork(graph, task.network, image), over);
}

function lossOf(
  graph: GraphBuilder,
  { training }: LesionTask,
  { lung, lesion }: Logits,
  over: DiceOver,
): { loss: Value; lesionDiceLoss: Value } {
  const { shape } = lung;
  const lungTruth = graph.input('lungTruth', shape);
  const lungWeight = graph.input('lungWeight', shape);
  const lesionTruth = graph.input('lesionTruth', shape);
  const lesionWeight = graph.input('lesionWeight', shape);
  const outside = graph.input('outside', shape);
  const lesionDiceLoss = graph.softDiceLoss(graph.add(lesion, outside), lesionTruth, { over });
  const lesionLoss = graph.add(
    graph.bceWithLogits(lesion, lesionTruth, lesionWeight),
    lesionDiceLoss,
  );
  const lungLoss = graph.add(
    graph.bceWithLogits(lung, lungTruth, lungWeight),
    graph.softDiceLoss(lung, lungTruth, { over }),
  );
  const loss = graph.add(lesionLoss, graph.scale(lungLoss, training.lungWeight));
  return { loss, lesionDiceLoss };
}

/** The canonical order of the network's weights, the site's own ones included. */
export function networkLayout(spec: NetworkSpec): Layout {
  return layoutOf(forwardGraph(spec, 1));
}

/**
 * The weights to start from, the same on every machine for the same seed: convolutions normal with variance 2 ÷ fan-in (1 ÷ fan-in
 * where no ReLU follows, 1/400 in the head), from twelve uniforms each and no transcendental function; scales 1, the
 * head's biases −1, everything else 0. All are multiples of 2^-20: they lie on a study's grid of that or a finer step.
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
      const deviation = deviationOf(name, length / (shape[0] as number));
      for (let i = 0; i < length; i++) {
        values[i] = Math.round(random.normal() * deviation * 2 ** 20) / 2 ** 20;
      }
    } else if (name === 'head/bias') {
      values.fill(-1);
    } else if (name.endsWith('/scale') && !name.startsWith('site/')) {
      values.fill(1);
    }
  }
  return weights;
}

function deviationOf(name: string, fanIn: number): number {
  if (name === 'head/weight') {
    return 0.05;
  }
  return Math.sqrt((name.endsWith('/reduce/weight') ? 1 : 2) / fanIn);
}

function imageOf(graph: GraphBuilder, spec: NetworkSpec, batch: number, size: number): Value {
  return graph.input('image', [batch, spec.slices, size, size]);
}

/** @param watch is shown what each block's group norm takes and gives */
function buildNetwork(
  graph: GraphBuilder,
  spec: NetworkSpec,
  image: Value,
  watch: Watch = () => undefined,
): Logits {
  const skips: Value[] = [];
  let x = image;
  for (const [level, channels] of spec.channels.entries()) {
    if (level > 0) {
      x = block(graph, spec, `down${level}/a`, graph.maxPool2d(x), channels, watch);
    }
    x = block(graph, spec, `down${level}/b`, x, channels, watch);
    skips.push(x);
  }
  for (let level = spec.channels.length - 2; level >= 0; level--) {
    const channels = spec.channels[level] as number;
    const skip = skips[level] as Value;
    const reduce = graph.parameter(`up${level}/reduce/weight`, [channels, channelsOf(x), 1, 1]);
    x = graph.add(graph.upsample2d(graph.conv2d(x, reduce)), skip);
    x = block(graph, spec, `up${level}`, x, channels, watch);
  }
  const weight = graph.parameter('head/weight', [2, channelsOf(x), 1, 1]);
  const logits = graph.conv2d(x, weight, graph.parameter('head/bias', [2]));
  return { lung: graph.sliceChannels(logits, 0, 1), lesion: graph.sliceChannels(logits, 1, 2) };
}

type Watch = (name: string, values: Value) => void;

function block(
  graph: GraphBuilder,
  spec: NetworkSpec,
  name: string,
  x: Value,
  channels: number,
  watch: Watch,
): Value {
  const weight = graph.parameter(`${name}/weight`, [channels, channelsOf(x), 3, 3]);
  const scale = corrected(graph, `${name}/scale`, channels);
  const shift = corrected(graph, `${name}/shift`, channels);
  const groups = groupsOf(channels, spec.groupChannels);
  const raw = graph.conv2d(x, weight);
  const normed = graph.groupNorm(raw, scale, shift, groups);
  watch(`${name}/raw`, raw);
  watch(`${name}/normed`, normed);
  return graph.relu(normed);
}

/** What all sites share plus what belongs to this one. */
function corrected(graph: GraphBuilder, name: string, channels: number): Value {
  const shared = graph.parameter(name, [channels]);
  return graph.add(shared, graph.parameter(`site/${name}`, [channels]));
}

function channelsOf(x: Value): number {
  return x.shape[1] as number;
}
