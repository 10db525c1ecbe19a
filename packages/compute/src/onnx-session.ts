import { InferenceSession } from 'onnxruntime-node';
import { blockedChannels } from './blocked-channels.ts';
import type { OnnxProvider } from './onnx-engine.ts';
import { runtimeFailure } from './runtime-failure.ts';
import type { Formulation } from './to-onnx.ts';

/** Where a session computes. */
export interface SessionInit {
  readonly provider: OnnxProvider;
  readonly threads: number;
}

/** What a provider computes fastest, with weights that change. */
export async function formulationFor(provider: OnnxProvider): Promise<Formulation> {
  if (provider !== 'cpu') return { target: 'portable' };
  return { target: 'cpu', block: await blockedChannels() };
}

/**
 * A session for a model, in the formulation of its provider, that is run many times with weights that change.
 *
 * @param onDevice outputs that stay in the device's memory, for later runs to read.
 * @throws {ComputeError} `ENGINE_FAILED`, `PROVIDER_MISSING`, `OUT_OF_MEMORY`.
 */
export async function openSession(
  model: Uint8Array,
  { provider, threads }: SessionInit,
  onDevice: readonly string[] = [],
): Promise<InferenceSession> {
  const locations = Object.fromEntries(onDevice.map((name) => [name, 'gpu-buffer' as const]));
  try {
    return await InferenceSession.create(model, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      // On the CPU the model is as it should be executed, in an order in which activations die early. Optimisations change that order
      // (a peak of twice the memory on large images), and those of 'all' wrap every pool in two reorderings.
      graphOptimizationLevel: provider === 'cpu' ? 'disabled' : 'extended',
      // A pattern is a second set of buffers beside that of the first run, for no gain in time.
      enableMemPattern: provider !== 'cpu',
      logSeverityLevel: 4,
      ...(onDevice.length > 0 && { preferredOutputLocation: locations }),
      extra: { session: { disable_cpu_ep_fallback: provider === 'cpu' ? '0' : '1' } },
    });
  } catch (cause) {
    throw runtimeFailure(
      `onnxruntime could not prepare the graph on ${provider}`,
      cause,
      provider === 'cpu' ? 'ENGINE_FAILED' : 'PROVIDER_MISSING',
    );
  }
}
