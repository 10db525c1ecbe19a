import { type EngineChoice, type KitEngine, kitEngines } from './kit-engine.ts';
import { runPart } from './run-part.ts';
import { devicesIn, type VulkanPlan } from './vulkan-driver.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** One attempt to compute on an engine. */
export interface EngineAttempt {
  readonly engine: KitEngine;
  /** How Vulkan was set up; null for an engine that does not use it. */
  readonly vulkan: string | null;
  readonly works: boolean;
  /** Why it does not work; empty when it does. */
  readonly why: string;
  readonly devices: readonly string[];
  /** Whether the device is a program on the processor. */
  readonly software: boolean;
  readonly ms: number | null;
  readonly env: Environment;
}

export interface FindEnginesInit {
  readonly wanted: KitEngine | undefined;
  readonly plans: readonly VulkanPlan[];
  readonly threads: number;
  readonly allowSoftware: boolean;
  readonly env: Environment;
}

/**
 * Tries each engine (or only the wanted one) on the smallest graph; WebGPU with each way to set up Vulkan until one gives a real GPU.
 * The first attempt that works and is not refused as software is what to take.
 */
export async function findEngines(
  init: FindEnginesInit,
): Promise<{ attempts: EngineAttempt[]; taken: EngineAttempt | undefined }> {
  const attempts: EngineAttempt[] = [];
  const { threads, allowSoftware } = init;
  const names = init.wanted === undefined ? kitEngines : [init.wanted];
  for (const engine of names) {
    if (engine !== 'onnx-webgpu') {
      attempts.push(await attempt({ engine, threads, allowSoftware }, null, init.env));
      continue;
    }
    for (const plan of init.plans) {
      const tried = await attempt({ engine, threads, allowSoftware }, plan, init.env);
      attempts.push(tried);
      if (tried.works && !tried.software) break;
    }
  }
  const usable = attempts.filter((tried) => tried.works);
  const taken = usable.find((tried) => !tried.software) ?? (allowSoftware ? usable[0] : undefined);
  return { attempts, taken };
}

async function attempt(
  choice: EngineChoice,
  plan: VulkanPlan | null,
  env: Environment,
): Promise<EngineAttempt> {
  const own = { ...env, ...plan?.env };
  const talkative = plan === null ? own : { ...own, VK_LOADER_DEBUG: 'all' };
  const outcome = await runPart('probe', choice, { env: talkative, limitSeconds: 90 });
  return {
    engine: choice.engine,
    vulkan: plan?.name ?? null,
    works: outcome.ended === 'done',
    why: [outcome.ended === 'done' ? '' : outcome.ended, outcome.why].filter(Boolean).join(': '),
    devices: plan === null ? [] : devicesIn(outcome.words),
    software: outcome.rows[0]?.software ?? false,
    ms: outcome.rows[0]?.ms ?? null,
    env: own,
  };
}
