import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { ComputeError } from './error.ts';
import { createOnnxEngine } from './onnx-engine.ts';
import { caseGraph, drawFeeds, operatorCases, relativeError, toSingle } from './operator-cases.ts';
import { interpret } from './reference.ts';

// Any Vulkan device will do, a software one included (VK_ICD_FILENAMES).
const engine = createOnnxEngine({ provider: 'webgpu' });
afterAll(() => engine.close());
const hasDevice = await compilesHere();

async function compilesHere(): Promise<boolean> {
  const g = createGraph();
  g.output('y', g.relu(g.input('x', [4])));
  try {
    await (await engine.compile(g.build())).close();
    return true;
  } catch (error) {
    if (error instanceof ComputeError && error.code === 'PROVIDER_MISSING') return false;
    throw error;
  }
}

test('without a device the engine says so', async () => {
  const index = fileURLToPath(new URL('./onnx-engine.ts', import.meta.url));
  const builder = fileURLToPath(new URL('./builder.ts', import.meta.url));
  const program = `
    const { createOnnxEngine } = await import(${JSON.stringify(index)});
    const { createGraph } = await import(${JSON.stringify(builder)});
    const g = createGraph();
    g.output('y', g.relu(g.input('x', [4])));
    await createOnnxEngine({ provider: 'webgpu' }).compile(g.build()).then(
      () => console.log('compiled'),
      ({ code, message }) => console.log(code, message),
    );`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@consilium/source', '--input-type=module', '-e', program],
    {
      env: { ...process.env, VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' },
    },
  );
  expect(stdout).toMatch(/^PROVIDER_MISSING .*on webgpu: .*adapter/s);
});

describe.skipIf(!hasDevice)('on WebGPU, none of it on the CPU (needs a Vulkan device)', () => {
  test.each(operatorCases)(
    '$name agrees with float64',
    async (operator) => {
      const graph = caseGraph(operator);
      const { inputs, weights } = drawFeeds(graph, 11);
      const expected = interpret(graph, inputs, weights);
      const program = await engine.compile(graph);
      const { outputs, gradient } = await program.run(toSingle(inputs), Float32Array.from(weights));
      await program.close();
      const forward = relativeError(outputs['result'] ?? [], expected.outputs['result'] ?? []);
      expect(forward).toBeLessThan(1e-5);
      expect(relativeError(gradient ?? [], expected.gradient ?? [])).toBeLessThan(1e-5);
    },
    60_000,
  );
});
