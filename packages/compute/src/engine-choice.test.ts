import { expect, test } from 'vitest';
import { createGraph } from './builder.ts';
import { createEngine, engineNames, isEngineName } from './engine-choice.ts';
import { adapterHere } from './webgpu-adapter.ts';

const g = createGraph();
g.output('y', g.relu(g.input('x', [3])));
const graph = g.build();

test('onnx-cpu computes on every machine', async () => {
  const engine = await createEngine('onnx-cpu', { threads: 2 });
  expect(engine.name).toBe('onnx-cpu');
  const program = await engine.compile(graph);
  const { outputs } = await program.run({ x: Float32Array.of(-2, 0, 3) }, new Float32Array());
  expect(outputs).toEqual({ y: Float32Array.of(0, 0, 3) });
  await engine.close();
});

// Not both bindings of TensorFlow: two in one process register their kernels twice.
const loadable = engineNames.filter((name) => name !== 'tfjs-gpu' && name !== 'tfjs-node');

test.each(loadable)(
  '%s is there under its own name, or is said to be missing',
  async (name) => {
    const outcome = await createEngine(name).then(
      async (engine) => {
        await engine.close();
        return engine.name;
      },
      (error: { code: string }) => error.code,
    );
    expect([name, 'PROVIDER_MISSING']).toContain(outcome);
  },
  60_000,
);

// Where there is no Vulkan driver at all, both are missing; with a software driver alone (VK_ICD_FILENAMES), only the first.
test('onnx-webgpu wants a GPU, and takes software only when told to', async () => {
  const opened = async (allowSoftware: boolean): Promise<string> => {
    try {
      const engine = await createEngine('onnx-webgpu', { allowSoftware });
      await engine.close();
      return 'opened';
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return `${code} ${message}`;
    }
  };
  const strict = await opened(false);
  const lenient = await opened(true);
  const { kind } = await adapterHere();
  if (strict === 'opened') {
    expect(lenient).toBe('opened');
    return;
  }
  expect(strict).toMatch(/^PROVIDER_MISSING .*(adapter|in software)/);
  if (lenient === 'opened')
    expect(strict).toContain('only a Vulkan driver that computes in software');
  expect(kind).toBe('software');
});

test.each(['', 'cpu', 'onnx', 'ONNX-CPU', 'toString'])('%j is no engine', (name) => {
  expect(isEngineName(name)).toBe(false);
});

test.each([0, -1, 1.5, Number.NaN])('%d threads are refused', async (threads) => {
  await expect(createEngine('onnx-cpu', { threads })).rejects.toThrow(RangeError);
});
