import { ComputeError } from './error.ts';

/**
 * A numerical library's failure as ours: `OUT_OF_MEMORY` where its words say that memory, the machine's or the device's, ran out, else
 * `otherwise`. The message holds the library's words, since `cause` does not cross processes; they name operators and sizes, and no data.
 *
 * @param doing what failed, as a sentence's beginning: `onnxruntime failed during a run`
 */
export function runtimeFailure(
  doing: string,
  cause: unknown,
  otherwise: 'ENGINE_FAILED' | 'PROVIDER_MISSING' = 'ENGINE_FAILED',
): ComputeError {
  const said = cause instanceof Error ? cause.message : String(cause);
  // onnxruntime puts the place in its sources and the condition before the words.
  const words = said.replace(/^\/\S+:\d+ .* was false\. /s, '').trim();
  const code = memoryWords.test(words) ? 'OUT_OF_MEMORY' : otherwise;
  return new ComputeError(code, `${doing}: ${words}`, { cause });
}

// In turn: C++; onnxruntime's arenas; V8; Linux; the words that CUDA, Dawn and people use; Vulkan and CUDA's codes; cuDNN and cuBLAS; TensorFlow; WebAssembly.
const memoryWords =
  /bad_alloc|failed to allocate memory|array buffer allocation failed|cannot allocate memory|out of memory|outofmemory|out_of_(?:\w+_)?memory|cudaErrorMemoryAllocation|STATUS_ALLOC_FAILED|resource_?exhausted|\bOOM\b|enlarge memory|maximum memory size/i;
