import { createGraph } from './builder.ts';
import type { Engine } from './engine.ts';
import { ComputeError } from './error.ts';
import { createOnnxEngine, type OnnxProvider } from './onnx-engine.ts';
import { adapterHere } from './webgpu-adapter.ts';

/** What a site can compute with: a library and where that computes. `onnx-cpu` runs everywhere and is the default. */
export type EngineName =
  | 'onnx-cpu'
  | 'onnx-webgpu'
  | 'onnx-cuda'
  | 'tfjs-gpu'
  | 'tfjs-node'
  | 'tfjs-wasm';

/** Every {@link EngineName}, in the order in which people are shown them. */
export const engineNames: readonly EngineName[] = [
  'onnx-cpu',
  'onnx-webgpu',
  'onnx-cuda',
  'tfjs-gpu',
  'tfjs-node',
  'tfjs-wasm',
];

export function isEngineName(name: string): name is EngineName {
  return (engineNames as readonly string[]).includes(name);
}

export interface EngineOptions {
  /** Threads for one run on the CPU. @default 1 */
  readonly threads?: number;
  /** Lets `onnx-webgpu` compute on a Vulkan driver that is software. It is slower than `onnx-cpu`, and for tests. @default false */
  readonly allowSoftware?: boolean;
}

/**
 * The engine of that name, ready to compile. A library is loaded when it is asked for, and no other with it.
 *
 * What is missing is an error and never another engine instead. `onnx-webgpu` is tried on a graph of one operator, so that a missing or
 * (see {@link EngineOptions.allowSoftware}) a software adapter is told here and not in the middle of a round.
 *
 * @throws {RangeError} when `threads` is not a positive whole number.
 * @throws {ComputeError} `PROVIDER_MISSING` when the library, its provider or its device is not there.
 */
export async function createEngine(name: EngineName, options: EngineOptions = {}): Promise<Engine> {
  const { threads = 1, allowSoftware = false } = options;
  switch (name) {
    case 'onnx-cpu':
    case 'onnx-webgpu':
    case 'onnx-cuda': {
      const provider = name.slice('onnx-'.length) as OnnxProvider;
      const engine = createOnnxEngine({ provider, threads });
      if (name === 'onnx-webgpu') await checkAdapter(engine, allowSoftware);
      return engine;
    }
    case 'tfjs-gpu':
    case 'tfjs-node':
    case 'tfjs-wasm': {
      const { createTfjsEngine } = await import('./tfjs-engine.ts');
      const init = { backend: name.slice('tfjs-'.length) as 'gpu' | 'node' | 'wasm', threads };
      return createTfjsEngine(init);
    }
  }
}

/** Which adapter was taken is seen while a program holds it, and not before. */
async function checkAdapter(engine: Engine, allowSoftware: boolean): Promise<void> {
  const graph = createGraph();
  graph.output('y', graph.relu(graph.input('x', [4])));
  const program = await engine.compile(graph.build());
  const adapter = await adapterHere();
  await program.close();
  if (adapter.kind === 'gpu' || allowSoftware) return;
  await engine.close();
  throw new ComputeError(
    'PROVIDER_MISSING',
    adapter.kind === 'software'
      ? 'webgpu found no GPU, only a Vulkan driver that computes in software'
      : 'on this system it cannot be told whether webgpu computes on a GPU or in software',
  );
}
