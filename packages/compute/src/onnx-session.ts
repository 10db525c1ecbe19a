import { InferenceSession } from 'onnxruntime-node';
import type { OnnxProvider } from './onnx-engine.ts';
import { runtimeFailure } from './runtime-failure.ts';

/** Where a session computes. */
export interface SessionInit {
  readonly provider: OnnxProvider;
  readonly threads: number;
}

/**
 * A session for a model that is run many times with weights that change.
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
      // Not 'all': its layout changes wrap every pool in two reorderings here.
      graphOptimizationLevel: 'extended',
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
