import { readShape, type ShapeReader } from './shape-reader.ts';

/** The network's form; see `buildNetwork`. */
export interface NetworkSpec {
  /** Side of the square plane that the network sees, in pixels: 32…512, a multiple of 2^(levels − 1). */
  readonly size: number;
  /** Neighbouring slices that the network sees at once, the middle one being judged: odd, 1…7. */
  readonly slices: number;
  /** Channels of each level, finest first: 2…6 levels of 4…256 channels. */
  readonly channels: readonly number[];
  /** Groups of every group norm; divides every entry of `channels`. */
  readonly groups: number;
  /**
   * Whether the lesion is looked for in a second pass that also sees the lung of the first one as a further channel. In training that
   * channel holds the true lung, or nothing at all.
   */
  readonly lungInput: boolean;
}

/** From a scan to the network's input; see `prepareScan`. */
export interface InputSpec {
  /** HU that become 0 and 1. Scans without HU are taken as they are. */
  readonly windowHu: readonly [low: number, high: number];
  /** `scan`: mean 0 and deviation 1 over the scan. `none`: windowed only. */
  readonly normalisation: 'scan' | 'none';
}

/** Bounds of random change to a slice in training; 0 is none. */
export interface AugmentationSpec {
  /** Probability of a mirror image left to right, and top to bottom. */
  readonly flipHorizontal: number;
  readonly flipVertical: number;
  /** Largest turn either way, in degrees. */
  readonly rotateDegrees: number;
  /** Largest natural logarithm of the zoom, either way. */
  readonly zoom: number;
  /** Largest shift along each axis, as a share of half the plane. */
  readonly shift: number;
  /** Largest natural logarithm of the gain, either way, on normalised intensities. */
  readonly contrast: number;
  /** Largest offset either way, in normalised intensities. */
  readonly brightness: number;
  /** Largest standard deviation of added noise, in normalised intensities. */
  readonly noise: number;
}

export interface TrainingSpec {
  /** Optimizer steps that a site takes in one round. */
  readonly stepsPerRound: number;
  /** Slices in a step. */
  readonly batch: number;
  readonly optimizer: 'adam' | 'sgd';
  /** At the first step after the warm-up. */
  readonly learningRate: number;
  /** Steps in which the rate rises linearly from nothing; counted over all of the site's training. */
  readonly warmupSteps: number;
  /** The rate falls along a half cosine to `finalRate` times itself at this step and stays there; 0 keeps it constant. */
  readonly decaySteps: number;
  readonly finalRate: number;
  /** Decoupled weight decay of Adam; of no effect on SGD, whose momentum is 0.9. */
  readonly weightDecay: number;
  /** How far a step moves the site's own corrections, as a share of how far it moves shared weights: 0 keeps them at zero. */
  readonly siteRate: number;
  /** Gradients with a larger L2 norm are scaled down to it. */
  readonly clipNorm: number;
  /** Share of each batch that is drawn from slices with lesion, where the patient has any. */
  readonly lesionShare: number;
  /** Weight of the lung's loss beside the lesion's. */
  readonly lungWeight: number;
  /** Share of samples in which the lung channel is empty; of no effect without `lungInput`. */
  readonly lungDropout: number;
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

/** The network that reads real scans: about half a million parameters. */
export const defaultTask: LesionTask = {
  kind: 'lesion',
  version: 1,
  network: { size: 128, slices: 3, channels: [16, 32, 64, 128], groups: 8, lungInput: true },
  input: { windowHu: [-1200, 300], normalisation: 'scan' },
  training: {
    stepsPerRound: 25,
    batch: 4,
    optimizer: 'adam',
    learningRate: 0.002,
    warmupSteps: 20,
    decaySteps: 1000,
    finalRate: 0.1,
    weightDecay: 0,
    siteRate: 0.1,
    clipNorm: 2,
    lesionShare: 0.75,
    lungWeight: 0.5,
    lungDropout: 0.5,
    augmentation: {
      flipHorizontal: 0.5,
      flipVertical: 0.5,
      rotateDegrees: 20,
      zoom: 0.2,
      shift: 0.15,
      contrast: 0.25,
      brightness: 0.3,
      noise: 0.1,
    },
  },
};

/** A small network on small planes for demonstrations and tests: a step takes some 15 ms on one core. */
export const smallTask: LesionTask = {
  ...defaultTask,
  network: { size: 64, slices: 3, channels: [8, 16, 32], groups: 4, lungInput: false },
  training: { ...defaultTask.training, decaySteps: 600, warmupSteps: 10 },
};

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
  const groups = network.integer('groups', 1, 32);
  const unit = 2 ** (channels.length - 1);
  const parsed: NetworkSpec = {
    size: network.integer('size', 32, 512),
    slices: network.integer('slices', 1, 7),
    channels,
    groups,
    lungInput: network.flag('lungInput'),
  };
  network.end();
  network.require('slices', parsed.slices % 2 === 1, 'must be odd');
  network.require('size', parsed.size % unit === 0, `must be a multiple of ${unit}`);
  network.require(
    'groups',
    channels.every((count) => count % groups === 0),
    'must divide every entry of channels',
  );
  return parsed;
}

function parseInput(input: ShapeReader): InputSpec {
  const [low, high] = input.numbers('windowHu', 2, -2048, 4096) as [number, number];
  const parsed: InputSpec = {
    windowHu: [low, high],
    normalisation: input.oneOf('normalisation', ['scan', 'none']),
  };
  input.end();
  input.require('windowHu', low < high, 'must rise');
  return parsed;
}

function parseTraining(training: ShapeReader): TrainingSpec {
  const parsed: TrainingSpec = {
    stepsPerRound: training.integer('stepsPerRound', 1, 1_000_000),
    batch: training.integer('batch', 1, 64),
    optimizer: training.oneOf('optimizer', ['adam', 'sgd']),
    learningRate: training.number('learningRate', 1e-7, 10),
    warmupSteps: training.integer('warmupSteps', 0, 1_000_000),
    decaySteps: training.integer('decaySteps', 0, 1_000_000),
    finalRate: training.number('finalRate', 0, 1),
    weightDecay: training.number('weightDecay', 0, 1),
    siteRate: training.number('siteRate', 0, 1),
    clipNorm: training.number('clipNorm', 1e-6, 1e6),
    lesionShare: training.number('lesionShare', 0, 1),
    lungWeight: training.number('lungWeight', 0, 100),
    lungDropout: training.number('lungDropout', 0, 1),
    augmentation: parseAugmentation(training.object('augmentation')),
  };
  training.end();
  return parsed;
}

function parseAugmentation(augmentation: ShapeReader): AugmentationSpec {
  const parsed: AugmentationSpec = {
    flipHorizontal: augmentation.number('flipHorizontal', 0, 1),
    flipVertical: augmentation.number('flipVertical', 0, 1),
    rotateDegrees: augmentation.number('rotateDegrees', 0, 180),
    zoom: augmentation.number('zoom', 0, 1),
    shift: augmentation.number('shift', 0, 1),
    contrast: augmentation.number('contrast', 0, 2),
    brightness: augmentation.number('brightness', 0, 10),
    noise: augmentation.number('noise', 0, 10),
  };
  augmentation.end();
  return parsed;
}
