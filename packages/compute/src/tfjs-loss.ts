import * as tf from '@tensorflow/tfjs-core';
import type { DiceOver, FocalGeometry } from './graph.ts';
import { sumAll } from './tfjs-elementwise.ts';
import type { Kernels } from './tfjs-kernel.ts';
import { channelSums } from './tfjs-norm.ts';

interface DiceInit {
  readonly over: DiceOver;
  readonly smooth: number;
}

/** Every Dice ratio's two halves, [N or 1, 1, C], and the probabilities. */
function diceTerms(
  { over, smooth }: DiceInit,
  logits: tf.Tensor,
  target: tf.Tensor,
): { p: tf.Tensor; numerator: tf.Tensor; denominator: tf.Tensor } {
  const p = tf.sigmoid(logits);
  const sums = (x: tf.Tensor): tf.Tensor =>
    over === 'sample' ? channelSums(x) : tf.sum(channelSums(x), 0, true);
  const numerator = tf.add(tf.mul(sums(tf.mul(p, target)), 2), smooth);
  const denominator = tf.add(tf.add(sums(p), sums(target)), smooth);
  return { p, numerator, denominator };
}

/** log(1 + exp(z)), without overflow. */
function softplus(z: tf.Tensor): tf.Tensor {
  return tf.add(tf.relu(z), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));
}

/** The mean of all values. */
function meanAll(x: tf.Tensor): tf.Tensor {
  return tf.div(sumAll(x), x.size);
}

/** alpha · t and (1 − alpha) · (1 − t): the weights of a value as a positive and as a negative. */
function focalWeights(
  { alpha }: FocalGeometry,
  target: tf.Tensor,
): [positive: tf.Tensor, negative: tf.Tensor] {
  return [tf.mul(target, alpha), tf.mul(tf.sub(1, target), 1 - alpha)];
}

/** Losses and their gradients by the logits. */
export const lossKernels: Kernels<
  | 'bceWithLogits'
  | 'bceWithLogitsGradient'
  | 'focalLoss'
  | 'focalLossGradient'
  | 'smoothL1Loss'
  | 'smoothL1LossGradient'
  | 'softDiceLoss'
  | 'softDiceLossGradient'
> = {
  // log(1 + exp(z)) − z · t.
  bceWithLogits: ({ inputs: [z, t, weight] }, { tensor }) => {
    const logits = tensor(z);
    const entropy = tf.sub(softplus(logits), tf.mul(logits, tensor(t)));
    return meanAll(weight === undefined ? entropy : tf.mul(entropy, tensor(weight)));
  },
  // dy · weight · (sigmoid(z) − t) / size.
  bceWithLogitsGradient: ({ inputs: [dy, z, t, weight] }, { tensor }) => {
    const difference = tf.sub(tf.sigmoid(tensor(z)), tensor(t));
    const weighed = weight === undefined ? difference : tf.mul(difference, tensor(weight));
    return tf.mul(weighed, tf.div(tensor(dy), tensor(z).size));
  },
  focalLoss: (node, { tensor }) => {
    const [z, t] = [tensor(node.inputs[0]), tensor(node.inputs[1])];
    const [positive, negative] = focalWeights(node, t);
    const minus = tf.neg(z);
    const hard = tf.mul(tf.pow(tf.sigmoid(minus), node.gamma), softplus(minus));
    const easy = tf.mul(tf.pow(tf.sigmoid(z), node.gamma), softplus(z));
    return meanAll(tf.add(tf.mul(positive, hard), tf.mul(negative, easy)));
  },
  focalLossGradient: (node, { tensor }) => {
    const [dy, z, t] = [tensor(node.inputs[0]), tensor(node.inputs[1]), tensor(node.inputs[2])];
    const [positive, negative] = focalWeights(node, t);
    const { gamma } = node;
    // q^gamma · (gamma · p · softplus(∓z) + q), with p and q exchanged for the negatives.
    const slope = (p: tf.Tensor, q: tf.Tensor, entropy: tf.Tensor): tf.Tensor =>
      tf.mul(tf.pow(q, gamma), tf.add(tf.mul(tf.mul(p, entropy), gamma), q));
    const minus = tf.neg(z);
    const [p, q] = [tf.sigmoid(z), tf.sigmoid(minus)];
    const down = tf.mul(positive, slope(p, q, softplus(minus)));
    const up = tf.mul(negative, slope(q, p, softplus(z)));
    return tf.mul(tf.sub(up, down), tf.div(dy, z.size));
  },
  // d² / 2β up to β, then d − β / 2; as m² / 2β + (d − m) with m = min(d, β).
  smoothL1Loss: ({ inputs: [x, t], beta }, { tensor }) => {
    const distance = tf.abs(tf.sub(tensor(x), tensor(t)));
    const near = tf.clipByValue(distance, 0, beta);
    const quadratic = tf.div(tf.mul(near, near), 2 * beta);
    return meanAll(tf.add(quadratic, tf.sub(distance, near)));
  },
  smoothL1LossGradient: ({ inputs: [dy, x, t], beta }, { tensor }) => {
    const difference = tf.sub(tensor(x), tensor(t));
    const slope = tf.clipByValue(tf.div(difference, beta), -1, 1);
    return tf.mul(slope, tf.div(tensor(dy), difference.size));
  },
  softDiceLoss: (node, { tensor }) => {
    const [z, t] = node.inputs;
    const { numerator, denominator } = diceTerms(node, tensor(z), tensor(t));
    const ratios = tf.div(numerator, denominator);
    return tf.sub(1, meanAll(ratios));
  },
  // −dy / terms · (2t · denominator − numerator) / denominator² · p · (1 − p).
  softDiceLossGradient: (node, { tensor }) => {
    const [dy, z, t] = node.inputs;
    const { p, numerator, denominator } = diceTerms(node, tensor(z), tensor(t));
    const share = tf.div(tf.neg(tensor(dy)), numerator.size);
    const byTarget = tf.div(tf.mul(share, 2), denominator);
    const always = tf.div(tf.mul(share, numerator), tf.mul(denominator, denominator));
    const [n = 1] = p.shape;
    const flat = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [n, -1, p.shape.at(-1) ?? 1]);
    const byP = tf.sub(tf.mul(flat(tensor(t)), byTarget), always);
    return tf.reshape(tf.mul(byP, flat(tf.mul(p, tf.sub(1, p)))), p.shape);
  },
};
