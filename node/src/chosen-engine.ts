import { type EngineName, engineNames, isEngineName } from '@consilium/compute';
import { type Config, checkConfig, defaultEngine, readConfig } from './config.ts';
import { NodeError } from './error.ts';
import type { SiteFolder } from './site-folder.ts';

/** What this site computes with, and who said so. */
export interface ChosenEngine {
  readonly engine: EngineName;
  readonly source: 'environment' | 'configuration' | 'default';
  readonly threads: number;
  readonly allowSoftware: boolean;
}

/** The environment, of which `CONSILIUM_COMPUTE` is read; an empty text says nothing. */
export type ComputeEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The engine that a site computes with: what the environment's `CONSILIUM_COMPUTE` names, else what the site's configuration does, else the default.
 *
 * @throws {NodeError} `CONFIG` when either names an engine that there is not, or the configuration is wrong; `FOLDER_MISSING` without one.
 */
export async function chosenEngine(
  folder: Pick<SiteFolder, 'config'>,
  environment: ComputeEnvironment,
): Promise<ChosenEngine> {
  const raw = await readConfig(folder.config);
  return chooseEngine(checkConfig(raw, folder.config).compute, namesEngine(raw), environment);
}

/** {@link chosenEngine} where no site is: the environment or the default. @throws {NodeError} `CONFIG`. */
export function engineWithoutSite(environment: ComputeEnvironment): ChosenEngine {
  const compute = { engine: defaultEngine, threads: 1, allowSoftware: false };
  return chooseEngine(compute, false, environment);
}

function chooseEngine(
  { engine, threads, allowSoftware }: Config['compute'],
  isConfigured: boolean,
  { CONSILIUM_COMPUTE: wanted = '' }: ComputeEnvironment,
): ChosenEngine {
  if (wanted === '') {
    const source = isConfigured ? 'configuration' : 'default';
    return { engine, source, threads, allowSoftware };
  }
  if (isEngineName(wanted)) {
    return { engine: wanted, source: 'environment', threads, allowSoftware };
  }
  throw new NodeError(
    'CONFIG',
    `CONSILIUM_COMPUTE names ${JSON.stringify(wanted)}, which is no engine`,
    `one of ${engineNames.join(', ')}; or unset it, and compute.engine in consilium.yaml holds`,
  );
}

/** Whether a configuration that was checked names its engine, be it the default one. */
function namesEngine(raw: unknown): boolean {
  const compute = (raw as { compute?: object | null } | null)?.compute ?? {};
  return Object.hasOwn(compute, 'engine');
}

/** Why an engine was chosen, for people. */
export const sourceWords: Readonly<Record<ChosenEngine['source'], string>> = {
  environment: 'CONSILIUM_COMPUTE in the environment',
  configuration: 'compute.engine in consilium.yaml',
  default: 'the default, since nothing else is said',
};
