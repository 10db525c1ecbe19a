import { createEngine, type Engine, type EngineName, type OnnxProvider } from '@consilium/compute';

/** Those of compute's engines that the kit brings, in the order in which it tries them. */
export const kitEngines = ['onnx-cuda', 'onnx-webgpu', 'onnx-cpu'] as const;

export type KitEngine = Extract<EngineName, (typeof kitEngines)[number]>;

/** What a part computes on. */
export interface EngineChoice {
  readonly engine: KitEngine;
  /** Threads of the CPU engine; a GPU does not look at it. */
  readonly threads: number;
  /** Takes a Vulkan device that is a program on the processor. */
  readonly allowSoftware: boolean;
}

const providers: Readonly<Record<KitEngine, OnnxProvider>> = {
  'onnx-cuda': 'cuda',
  'onnx-webgpu': 'webgpu',
  'onnx-cpu': 'cpu',
};

/** Whether `name` is one of {@link kitEngines}. */
export function isKitEngine(name: string): name is KitEngine {
  return kitEngines.some((known) => known === name);
}

/** The name under which onnxruntime knows an engine's device. */
export function providerOf(engine: KitEngine): OnnxProvider {
  return providers[engine];
}

/** @throws {ComputeError} `PROVIDER_MISSING` when its library or device is not there, or is software and that is not allowed. */
export function openEngine({ engine, threads, allowSoftware }: EngineChoice): Promise<Engine> {
  return createEngine(engine, { threads, allowSoftware });
}

/** The engine that the others are compared with. */
export function openCpu(threads: number): Promise<Engine> {
  return createEngine('onnx-cpu', { threads });
}
