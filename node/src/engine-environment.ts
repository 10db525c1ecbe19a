import type { ComputeChoice } from './training-messages.ts';

/**
 * The environment of a process that computes with an engine: this one's, in which Vulkan's loader is told to leave out drivers that compute in
 * software, unless they are allowed. Then `onnx-webgpu` finds GPUs or nothing, also where an unfit GPU stands beside a software driver.
 *
 * @see https://github.com/KhronosGroup/Vulkan-Loader/blob/main/docs/LoaderInterfaceArchitecture.md; loaders before 1.3.234 do not know the variable
 */
export function engineEnvironment(
  { allowSoftware = false }: ComputeChoice,
  environment: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  if (allowSoftware) return environment;
  const { VK_LOADER_DRIVERS_DISABLE: disabled = '' } = environment;
  const patterns = [disabled, ...softwareDrivers].filter((pattern) => pattern !== '');
  return { ...environment, VK_LOADER_DRIVERS_DISABLE: patterns.join(',') };
}

// Names of the drivers' manifest files: Mesa's lavapipe, and SwiftShader.
const softwareDrivers = ['*lvp*', '*lavapipe*', '*swiftshader*'];
