import { createGraph, type Graph, type Value } from '@consilium/compute';
import { referenceUNet } from '../reference-unet.ts';
import type { Work } from './assignment.ts';
import { flopsOf } from './flops.ts';

export type CaseGroup = 'train' | 'private' | 'conv3d' | 'read';

/** One thing that is timed, whoever does it. */
export interface BenchCase {
  /** For `--cases`, and the name in the results. */
  readonly id: string;
  readonly title: string;
  readonly group: CaseGroup;
  readonly graph: Graph;
  readonly work: Work;
  readonly flops: number;
  /** How many runs make the whole that the title names: one step, or all batches of a scan. */
  readonly runsInWhole: number;
  /** Reading: how many batches of the scan are timed, all where the scan is not too long for that; their median stands for the others. */
  readonly timedRuns?: number;
  /** Whether the slower second peer can take part in reasonable time. */
  readonly isSmall: boolean;
}

const network = { widths: [16, 32, 64, 128], groups: 8 };
const slicesPerPatient = 4;
// Slice by slice both sides are fastest and smallest: larger batches leave the cache.
const slicesPerRead = 1;

/** What runs by default. */
export function allCases(): BenchCase[] {
  return [
    ...[128, 256].flatMap((size) => [1, 4, 16].map((batch) => trainCase(batch, size))),
    privateCase(16, 128),
    conv3dCase([32, 64, 64]),
    ...[256, 512].flatMap((size) => [128, 300].map((slices) => readCase(slices, size))),
  ];
}

/** Small ones of every kind, to see that everything works. Their figures mean nothing. */
export function quickCases(): BenchCase[] {
  return [trainCase(1, 64), privateCase(3, 64), conv3dCase([8, 16, 16]), readCase(12, 64)];
}

/** `wanted` names groups or single cases. @throws {RangeError} for a name that is neither. */
export function chooseCases(
  cases: readonly BenchCase[],
  wanted: readonly string[] | undefined,
): readonly BenchCase[] {
  if (wanted === undefined) return cases;
  for (const name of wanted) {
    if (!cases.some(({ id, group }) => id === name || group === name)) {
      const known = cases.map(({ id }) => id).join(', ');
      throw new RangeError(`there is no case ${name}; there are ${known}, and their groups`);
    }
  }
  return cases.filter(({ id, group }) => wanted.includes(id) || wanted.includes(group));
}

/** A square matrix product as a convolution of 1×1, which the engines carry out as just that. */
export function matrixProduct(size: number): Graph {
  const g = createGraph();
  const x = g.input('x', [1, size, 1, size]);
  g.output('y', g.conv2d(x, g.parameter('w', [size, size, 1, 1])));
  return g.build();
}

/** Twice 3×3×3 convolution, group norm and ReLU, all of `channels`; the loss is the mean of the result times a target. */
function conv3dBlock(channels: number, size: readonly number[]): Graph {
  const g = createGraph();
  const shape = [1, channels, ...size];
  let x: Value = g.input('image', shape);
  for (const layer of ['1', '2']) {
    const weight = g.parameter(`${layer}/weight`, [channels, channels, 3, 3, 3]);
    const scale = g.parameter(`${layer}/scale`, [channels]);
    const shift = g.parameter(`${layer}/shift`, [channels]);
    x = g.relu(g.groupNorm(g.conv3d(x, weight), scale, shift, channels / 2));
  }
  g.output('loss', g.mean(g.mul(x, g.input('target', shape))));
  return g.build();
}

/** The part of `graph` that computes the output named; nodes that were built after it are left out. */
export function forwardTo(graph: Graph, output: string): Graph {
  const wanted = graph.outputs.filter(({ name }) => name === output);
  const nodes = graph.nodes.slice(0, Math.max(...wanted.map(({ node }) => node)) + 1);
  const read = new Set(nodes.flatMap(({ inputs }): readonly (number | undefined)[] => inputs));
  return {
    ...graph,
    nodes,
    inputs: graph.inputs.filter((index) => read.has(index)),
    outputs: wanted,
  };
}

function trainCase(batch: number, size: number): BenchCase {
  return benchCase({
    id: `train-${batch}x${size}`,
    title: `training step, ${batch} × ${size}²`,
    group: 'train',
    graph: forwardTo(referenceUNet({ ...network, batch, size }), 'loss'),
    work: { kind: 'train' },
    isSmall: batch <= 4 && size <= 128,
  });
}

function privateCase(patients: number, size: number): BenchCase {
  return benchCase({
    id: `private-${patients}x${slicesPerPatient}x${size}`,
    title: `private step, ${patients} patients of ${slicesPerPatient} × ${size}²`,
    group: 'private',
    graph: forwardTo(referenceUNet({ ...network, batch: slicesPerPatient, size }), 'loss'),
    work: { kind: 'private', patients },
    isSmall: false,
  });
}

function conv3dCase(size: readonly [depth: number, height: number, width: number]): BenchCase {
  return benchCase({
    id: `conv3d-${size.join('x')}`,
    title: `training step, 3-D block on ${size.join(' × ')}`,
    group: 'conv3d',
    graph: conv3dBlock(16, size),
    work: { kind: 'train' },
    isSmall: false,
  });
}

function readCase(slices: number, size: number): BenchCase {
  const runsInWhole = slices / slicesPerRead;
  return benchCase({
    id: `read-${slices}x${size}`,
    title: `reading a scan, ${slices} × ${size}²`,
    group: 'read',
    graph: forwardTo(referenceUNet({ ...network, batch: slicesPerRead, size }), 'probability'),
    work: { kind: 'read', slices },
    runsInWhole,
    timedRuns: Math.min(runsInWhole, size > 256 ? 32 : runsInWhole),
    isSmall: false,
  });
}

function benchCase(
  parts: Omit<BenchCase, 'flops' | 'runsInWhole'> & { runsInWhole?: number },
): BenchCase {
  return { runsInWhole: 1, ...parts, flops: flopsOf(parts.graph, parts.work) };
}
