import { expect, test } from 'vitest';
import { runtimeFailure } from './runtime-failure.ts';

// Words as they were met: onnxruntime 1.30 under an address-space limit, or read in the sources of the library named.
test.each([
  ['C++', new Error('std::bad_alloc')],
  [
    'onnxruntime’s arena',
    new Error('Failed to allocate memory for requested buffer of size 1048576'),
  ],
  ['V8', new RangeError('Array buffer allocation failed')],
  ['mmap', new Error('Cannot allocate memory')],
  ['CUDA’s runtime', new Error('CUDA failure 2: out of memory ; GPU=0')],
  ['CUDA’s driver', new Error('CUDA_ERROR_OUT_OF_MEMORY')],
  ['cuBLAS', new Error('CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED')],
  ['Vulkan', new Error('vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY')],
  ['TensorFlow', new Error('OOM when allocating tensor with shape[8,16,128,128]')],
  ['TensorFlow’s status', new Error('RESOURCE_EXHAUSTED: failed')],
  ['WebAssembly', new Error('Aborted(Cannot enlarge memory arrays to size 4294967296 bytes)')],
  [
    'WebAssembly’s memory',
    new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded'),
  ],
  ['no Error at all', 'out of memory'],
])('%s says that memory ran out', (_, cause) => {
  const failure = runtimeFailure('a run failed', cause, 'PROVIDER_MISSING');
  expect(failure).toMatchObject({ code: 'OUT_OF_MEMORY', cause });
  expect(failure.message).toContain(cause instanceof Error ? cause.message : cause);
});

test.each([
  ['ENGINE_FAILED', new Error('WebGPU device lost (2): the GPU was removed')],
  ['ENGINE_FAILED', new Error('Non-zero status code returned while running Add node')],
  ['PROVIDER_MISSING', new Error('Failed to get a WebGPU adapter: No supported adapters')],
  ['ENGINE_FAILED', new Error('this memory layout is not supported; the room is too small')],
] as const)('%s: anything else keeps its code', (otherwise, cause) => {
  const failure = runtimeFailure('onnxruntime failed during a run', cause, otherwise);
  expect(failure.code).toBe(otherwise);
  expect(failure.message).toBe(`onnxruntime failed during a run: ${cause.message}`);
});

test('the place in the sources of onnxruntime is left out', () => {
  const cause = new Error(
    '/onnxruntime_src/core/webgpu_context.cc:136 void Initialize() result.status == Success was false. Failed to get a WebGPU adapter: No supported adapters\n',
  );
  const { message } = runtimeFailure('it failed', cause, 'PROVIDER_MISSING');
  expect(message).toBe('it failed: Failed to get a WebGPU adapter: No supported adapters');
});
