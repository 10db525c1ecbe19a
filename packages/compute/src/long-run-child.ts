/**
 * Trains a small network for 2,000 steps and prints, as JSON, the process's resident memory in bytes after 400 steps and at the end, each after
 * a garbage collection (`--expose-gc`). A process of its own, so that nothing else is measured.
 *
 *   node --expose-gc long-run-child.ts [provider]
 */
import { createGraph } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { gradientLayoutOf, layoutOf } from './graph.ts';
import { createOnnxEngine, type OnnxProvider } from './onnx-engine.ts';
import { createRandom } from './operator-cases.ts';
import { adam } from './optimizer.ts';
import { compileTraining } from './training-program.ts';

const [provider = 'cpu', steps = '2000'] = process.argv.slice(2);
const g = createGraph();
const x = g.input('x', [4, 2, 16, 16]);
const first = g.conv2d(x, g.parameter('first', [16, 2, 3, 3]));
const normed = g.groupNorm(first, g.parameter('scale', [16]), g.parameter('shift', [16]), 4);
const pooled = g.maxPool2d(g.relu(normed));
const up = g.concat([g.upsample2d(pooled), normed]);
const logits = g.conv2d(up, g.parameter('head', [1, 32, 3, 3]));
g.output('loss', g.bceWithLogits(logits, g.input('target', [4, 1, 16, 16])));
g.output('logits', logits);
const graph = differentiate(g.build(), 'loss');

const random = createRandom(1);
const draw = (length: number): Float32Array => Float32Array.from({ length }, () => random() - 0.5);
const optimizer = adam({});
const engine = createOnnxEngine({ provider: provider as OnnxProvider });
const program = await compileTraining(
  engine,
  graph,
  { optimizer },
  {
    weights: draw(layoutOf(graph).length),
    state: optimizer.start(gradientLayoutOf(graph).length),
  },
);
const resident: number[] = [];
for (let step = 1; step <= Number(steps); step++) {
  await program.step({ x: draw(4 * 512), target: draw(4 * 256).map((value) => value + 0.5) });
  if (step === Number(steps) / 5 || step === Number(steps)) {
    globalThis.gc?.();
    resident.push(process.memoryUsage.rss());
  }
}
await engine.close();
process.stdout.write(JSON.stringify(resident));
