import { readShape, type ShapeReader } from './shape-reader.ts';

/** The network's form; see `forwardGraph`. */
export interface NetworkSpec {
  /** Side of the square plane that the network sees, in pixels: 16…512, a multiple of 2^(levels − 1). */
  readonly size: number;
  /** Side of the piece of a plane that one training sample shows: at most `size`, a multiple of 2^(levels − 1). */
  readonly cropSize: number;
  /** Neighbouring slices that the network sees at once, the middle one being judged: odd, 1…7. */
  readonly slices: number;
  /** Channels of each level, finest first: 2…6 levels of 4…256 channels. */
  readonly channels: readonly number[];
  /** Channels that a group norm takes together; a level has ⌊channels ÷ it⌋ groups, at least one, which must divide its channels. */
  readonly groupChannels: number;
}

/** From a scan to the network's input; see `prepareScan`. */
export interface InputSpec {
  /** HU that become 0 and 1. Scans without HU are taken as they are. */
  readonly windowHu: readonly [low: number, high: number];
  /** Percentiles of the scan's own values that are laid to −1.06 and 1.97, in (0, 100), rising. */
  readonly percentiles: readonly [low: number, high: number];
}

/** Bounds of random change to a sample in training; 0 is none. Intensities are normalised ones, of about unit spread. */
export interface AugmentationSpec {
  /** Probability of a mirror image: left to right, top to bottom, and of the order of the slices. */
  readonly flipHorizontal: number;
  readonly flipVertical: number;
  readonly flipAxial: number;
  /** Largest turn either way, in degrees. */
  readonly rotateDegrees: number;
  /** Largest natural logarithm of the zoom, and of the stretch of x against y, either way. */
  readonly zoom: number;
  readonly stretch: number;
  /** Largest shift along each axis, as a share of half the plane. */
  readonly shift: number;
  /** Probability of blurring, and of sharpening, by up to the whole of a 3×3 mean. */
  readonly blur: number;
  readonly sharpen: number;
  /** Deviation of a smooth field of gain (natural logarithm) and offset over the slice: what local contrast equalisation does. */
  readonly field: number;
  /** Largest natural logarithm of the gain, either way; largest offset, either way. */
  readonly contrast: number;
  readonly brightness: number;
  /** Largest natural logarithm of the exponent, either way, on intensities from −2 to 3. */
  readonly gamma: number;
  /** Probability of pixel noise, and its largest standard deviation. */
  readonly noiseShare: number;
  readonly noise: number;
}

export interface TrainingSpec {
  /** Optimizer steps that a site takes in one round. */
  readonly stepsPerRound: number;
  /** Slices in a step. */
  readonly batch: number;
  readonly optimizer: 'adam' | 'sgd';
  /** At its highest, after the warm-up. */
  readonly learningRate: number;
  /** Steps in which the rate rises linearly from nothing; counted over all of the site's training. */
  readonly warmupSteps: number;
  /** The rate falls along a half cosine to `finalRate` times itself at this step and stays there; 0 keeps it constant. */
  readonly decaySteps: number;
  readonly finalRate: number;
  /** Share of SGD's last step that goes into the next one, in [0, 1): 0 makes an update a plain sum of its gradients. Of no effect on Adam. */
  readonly momentum: number;
  /** Decoupled weight decay of Adam; of no effect on SGD. */
  readonly weightDecay: number;
  /** How far a step moves the site's own corrections, as a share of how far it moves shared weights: 0 keeps them at zero. */
  readonly siteRate: number;
  /** Gradients with a larger L2 norm are scaled down to it. */
  readonly clipNorm: number;
  /** Share of samples that are drawn from slices with lesion, where the patient has any; the others from all slices. */
  readonly lesionShare: number;
  /** Weight of the lung's loss beside the lesion's. */
  readonly lungWeight: number;
  /** How much more than another pixel one of lesion counts in the lung's cross-entropy: dense lesions are what a lung mask misses. */
  readonly lungLesionWeight: number;
  /** Weight of the lesion's cross-entropy outside the true lung at `decaySteps`, against 1 inside: 0 leaves open what the network says there. */
  readonly outsideWeight: number;
  readonly augmentation: AugmentationSpec;
}

/** What a study learns and how; plain data that goes into its manifest. */
export interface LesionTask {
  readonly kind: 'lesion';
  readonly version: 1;
  readonly network: NetworkSpec;
  readonly input: InputSpec;
  readonly training: TrainingSpec;
}

/** The network that reads real scans: 0.14 million parameters, some 80 ms a step on one core. */
export const defaultTask: LesionTask = {
  kind: 'lesion',
  version: 1,
  network: { size: 128, cropSize: 96, slices: 3, channels: [12, 24, 48, 64], groupChannels: 8 },
  input: { windowHu: [-1350, 350], percentiles: [5, 95] },
  training: {
    stepsPerRound: 20,
    batch: 6,
    optimizer: 'adam',
    momentum: 0.9,
    learningRate: 0.003,
    warmupSteps: 20,
    decaySteps: 1000,
    finalRate: 0.02,
    weightDecay: 0,
    siteRate: 0,
    clipNorm: 10,
    lesionShare: 0.5,
    lungWeight: 0.5,
    lungLesionWeight: 9,
    outsideWeight: 0.3,
    augmentation: {
      flipHorizontal: 0.5,
      flipVertical: 0.5,
      flipAxial: 0.5,
      rotateDegrees: 20,
      zoom: 0.25,
      stretch: 0.1,
      shift: 0.15,
      blur: 0.3,
      sharpen: 0.2,
      field: 0.25,
      contrast: 0.35,
      brightness: 0.4,
      gamma: 0.35,
      noiseShare: 0.4,
      noise: 0.3,
    },
  },
};

/** A small network on small planes, for demonstrations and tests on generated patients: a step takes some 20 ms on one core. */
export const smallTask: LesionTask = {
  ...defaultTask,
  network: { size: 64, cropSize: 64, slices: 3, channels: [12, 24, 32], groupChannels: 8 },
  training: { ...defaultTask.training, learningRate: 0.008 },
};

/**
 * A built-in task as private training takes it: few steps, each on a good part of the cohort, from pre-trained weights.
 *
 * Plain SGD at a constant rate: an update is then the sum of its noised gradients times that rate and nothing else, so that whoever has the manifest knows how much noise must
 * be in it. `clipNorm` has no use, since the policy's own is applied to each patient.
 */
export function privateTask(task: LesionTask): LesionTask {
  return {
    ...task,
    training: {
      ...task.training,
      stepsPerRound: 5,
      optimizer: 'sgd',
      momentum: 0,
      learningRate: 0.05,
      warmupSteps: 0,
      finalRate: 1,
      weightDecay: 0,
    },
  };
}

/**
 * Reads a task from plain data, e.g. out of a manifest that a stranger wrote. Strict: every key must be there, none besides, each
 * within its bounds. The result holds no reference to `value`.
 *
 * @throws {ModelError} `TASK_INVALID` with the path of what is wrong.
 */
export function parseTask(value: unknown): LesionTask {
  const task = readShape(value, 'task');
  const parsed: LesionTask = {
    kind: task.oneOf('kind', ['lesion']),
    version: task.integer('version', 1, 1) as 1,
    network: parseNetwork(task.object('network')),
    input: parseInput(task.object('input')),
    training: parseTraining(task.object('training')),
  };
  task.end();
  return parsed;
}

function parseNetwork(network: ShapeReader): NetworkSpec {
  const channels = network.integers('channels', 2, 6, 4, 256);
  const unit = 2 ** (channels.length - 1);
  const size = network.integer('size', 16, 512);
  const parsed: NetworkSpec = {
    size,
    cropSize: network.integer('cropSize', 16, size),
    slices: network.integer('slices', 1, 7),
    channels,
    groupChannels: network.integer('groupChannels', 1, 256),
  };
  network.end();
  network.require('slices', parsed.slices % 2 === 1, 'must be odd');
  network.require('size', parsed.size % unit === 0, `must be a multiple of ${unit}`);
  network.require('cropSize', parsed.cropSize % unit === 0, `must be a multiple of ${unit}`);
  network.require(
    'groupChannels',
    channels.every((count) => count % groupsOf(count, parsed.groupChannels) === 0),
    'must give every level groups of equal size',
  );
  return parsed;
}

/** How many groups a group norm over `channels` channels has. */
export function groupsOf(channels: number, groupChannels: number): number {
  return Math.max(1, Math.floor(channels / groupChannels));
}

function parseInput(input: ShapeReader): InputSpec {
  const windowHu = input.numbers('windowHu', 2, -2048, 4096) as [number, number];
  const percentiles = input.numbers('percentiles', 2, 0, 100) as [number, number];
  input.end();
  input.require('windowHu', windowHu[0] < windowHu[1], 'must rise');
  input.require('percentiles', percentiles[0] < percentiles[1], 'must rise');
  return { windowHu, percentiles };
}

function parseTraining(training: ShapeReader): TrainingSpec {
  const parsed: TrainingSpec = {
    stepsPerRound: training.integer('stepsPerRound', 1, 1_000_000),
    batch: training.integer('batch', 1, 64),
    optimizer: training.oneOf('optimizer', ['adam', 'sgd']),
    momentum: training.number('momentum', 0, 0.999),
    learningRate: training.number('learningRate', 1e-7, 10),
    warmupSteps: training.integer('warmupSteps', 0, 1_000_000),
    decaySteps: training.integer('decaySteps', 0, 1_000_000),
    finalRate: training.number('finalRate', 0, 1),
    weightDecay: training.number('weightDecay', 0, 1),
    siteRate: training.number('siteRate', 0, 1),
    clipNorm: training.number('clipNorm', 1e-6, 1e6),
    lesionShare: training.number('lesionShare', 0, 1),
    lungWeight: training.number('lungWeight', 0, 100),
    lungLesionWeight: training.number('lungLesionWeight', 0, 100),
    outsideWeight: training.number('outsideWeight', 0, 1),
    augmentation: parseAugmentation(training.object('augmentation')),
  };
  training.end();
  return parsed;
}

function parseAugmentation(augmentation: ShapeReader): AugmentationSpec {
  const parsed: AugmentationSpec = {
    flipHorizontal: augmentation.number('flipHorizontal', 0, 1),
    flipVertical: augmentation.number('flipVertical', 0, 1),
    flipAxial: augmentation.number('flipAxial', 0, 1),
    rotateDegrees: augmentation.number('rotateDegrees', 0, 180),
    zoom: augmentation.number('zoom', 0, 1),
    stretch: augmentation.number('stretch', 0, 1),
    shift: augmentation.number('shift', 0, 1),
    blur: augmentation.number('blur', 0, 1),
    sharpen: augmentation.number('sharpen', 0, 1),
    field: augmentation.number('field', 0, 2),
    contrast: augmentation.number('contrast', 0, 2),
    brightness: augmentation.number('brightness', 0, 10),
    gamma: augmentation.number('gamma', 0, 2),
    noiseShare: augmentation.number('noiseShare', 0, 1),
    noise: augmentation.number('noise', 0, 10),
  };
  augmentation.end();
  return parsed;
}
