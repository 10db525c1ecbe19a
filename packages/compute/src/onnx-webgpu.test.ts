import { expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { ComputeError } from './error.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import { caseGraph, drawFeeds, operatorCases, relativeError, toSingle } from './operator-cases.ts';
import { interpret } from './reference.ts';

// Any Vulkan device will do, a software one included (VK_ICD_FILENAMES); without one the engine must say so.
async function findDevice(): Promise<'webgpu' | ComputeError> {
  const g = createGraph();
  g.output('y', g.relu(g.input('x', [4])));
  try {
    const program = await createOnnxEngine({ provider: 'webgpu' }).compile(g.build());
    await program.close();
    return 'webgpu';
  } catch (error) {
    if (error instanceof ComputeError) return error;
    throw error;
  }
}

test('every operator agrees with float64 on WebGPU, none of it on the CPU; without a device the engine says so', async () => {
  const found = await findDevice();
  if (found !== 'webgpu') {
    expect(found).toMatchObject({
      code: 'PROVIDER_MISSING',
      message: expect.stringMatching(/on webgpu: .*adapter/),
    });
    return;
  }
  const engine = createOnnxEngine({ provider: 'webgpu' });
  for (const operator of operatorCases) {
    const graph = caseGraph(operator);
    const { inputs, weights } = drawFeeds(graph, 11);
    const expected = interpret(graph, inputs, weights);
    const program = await engine.compile(graph);
    const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
    await program.close();
    const forward = relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? []);
    expect(forward, operator.name).toBeLessThan(1e-5);
    const backward = relativeError(gradient ?? [], expected.gradient ?? []);
    expect(backward, operator.name).toBeLessThan(1e-5);
  }
  await engine.close();
}, 180_000);
