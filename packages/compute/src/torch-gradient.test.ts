import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { type Graph, layoutOf } from './graph.ts';
import type { Value } from './graph-assembly.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import { createRandom, relativeError, toSingle } from './operator-cases.ts';
import { interpret } from './reference.ts';

// A second implementation, of other authors, for the gradient of a whole network: Debian's python3-torch.
const python = '/usr/bin/python3';
const findTorch = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
const hasTorch = spawnSync(python, ['-c', findTorch], { stdio: 'ignore' }).status === 0;
const shape = [2, 1, 16, 16] as const;
const widths = [4, 8];
const groups = 2;

// Smooth everywhere (SiLU, average pooling): float32 and float64 cannot take different sides of a kink.
function smoothUNet(): Graph {
  const g = createGraph();
  const image = g.input('image', shape);
  const target = g.input('target', shape);
  const block = (name: string, input: Value, out: number): Value => {
    let x = input;
    for (const layer of [`${name}/1`, `${name}/2`]) {
      const w = g.parameter(`${layer}/weight`, [out, x.shape[1] ?? 0, 3, 3]);
      const [shared, local] = [
        g.parameter(`${layer}/scale`, [out]),
        g.parameter(`site/${layer}/scale`, [out]),
      ];
      const shift = g.parameter(`${layer}/shift`, [out]);
      x = g.silu(g.groupNorm(g.conv2d(x, w), g.add(shared, local), shift, groups));
    }
    return x;
  };
  const [wide = 0, narrow = 0] = widths;
  const top = block('down0', image, wide);
  const bottom = block('down1', g.avgPool2d(top), narrow);
  const up = block('up0', g.concat([g.upsample2d(bottom), top]), wide);
  const logits = g.conv2d(
    up,
    g.parameter('head/weight', [1, wide, 1, 1]),
    g.parameter('head/bias', [1]),
  );
  const weight = g.add(target, g.constant(1, shape));
  g.output('loss', g.add(g.bceWithLogits(logits, target, weight), g.softDiceLoss(logits, target)));
  return differentiate(g.build(), 'loss');
}

interface Answer {
  readonly loss: number;
  readonly gradient: number[];
}

test.skipIf(!hasTorch)(
  'the gradient of a whole U-Net is that of PyTorch (needs python3-torch)',
  async () => {
    const graph = smoothUNet();
    const random = createRandom(3);
    const uniform = (length: number): Float64Array =>
      Float64Array.from({ length }, () => Math.fround(random() - 0.5));
    const inputs = {
      image: uniform(2 * 16 * 16),
      target: uniform(2 * 16 * 16).map((value) => (value > 0.2 ? 1 : 0)),
    };
    const weights = uniform(layoutOf(graph).length);
    const request = {
      weights: [...weights],
      image: [...inputs.image],
      target: [...inputs.target],
      shape,
      widths,
      groups,
    };
    const script = fileURLToPath(new URL('torch-gradient.py', import.meta.url));
    const { stdout, stderr } = spawnSync(python, [script], {
      input: JSON.stringify(request),
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      env: { OMP_NUM_THREADS: '1' },
    });
    expect(stderr).toBe('');
    const torch: { float64: Answer; float32: Answer } = JSON.parse(stdout);

    const exact = interpret(graph, inputs, weights);
    expect(exact.outputs['loss']?.[0]).toBeCloseTo(torch.float64.loss, 12);
    expect(relativeError(exact.gradient ?? [], torch.float64.gradient)).toBeLessThan(1e-11);

    const engine = createOnnxEngine();
    const program = await engine.compile(graph);
    const single = await program.run(toSingle(inputs), Float32Array.from(weights));
    await engine.close();
    expect(single.outputs['loss']?.[0]).toBeCloseTo(torch.float64.loss, 5);
    expect(relativeError(single.gradient ?? [], torch.float64.gradient)).toBeLessThan(1e-5);
    expect(relativeError(single.gradient ?? [], torch.float32.gradient)).toBeLessThan(1e-5);
  },
  60_000,
);
