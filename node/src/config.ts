import { readFile } from 'node:fs/promises';
import { type EngineName, engineNames } from '@consilium/compute';
import { type ScannerName, scannerProfiles } from '@consilium/imaging/phantom';
import { stringify } from 'yaml';
import { z } from 'zod';
import { tokenConfig } from './api/tokens.ts';
import { NodeError } from './error.ts';
import { parseYaml } from './yaml-document.ts';

const phantomCohort = z.strictObject({
  kind: z.literal('phantom'),
  /** The scanner that the made-up patients are seen with. */
  profile: z.enum(Object.keys(scannerProfiles) as [ScannerName, ...ScannerName[]]),
  patients: z.int().min(1).max(10_000),
  seed: z.int().min(0).default(0),
});
const pngCohort = z.strictObject({
  kind: z.literal('png'),
  folder: z.string().min(1),
  patients: z.array(z.string().min(1)).min(1),
  /** Patients whose slices are stored upside down, as the site's data steward declares. */
  flippedTopToBottom: z.array(z.string().min(1)).default([]),
});
const cohort = z.discriminatedUnion('kind', [phantomCohort, pngCohort]);
/** What a site computes with that says nothing: it runs everywhere. */
export const defaultEngine: EngineName = 'onnx-cpu';
const port = z.int().min(0).max(65_535);

/** Everything a site's operator can set. Unknown keys are refused, so that a typing error is not a silent default. */
const configSchema = z.strictObject({
  /** What the site is called in its own logs. */
  name: z.string().min(1).max(64),
  network: z
    .strictObject({
      /** Multiaddrs to listen on; an empty list makes an outbound-only site. */
      listen: z.array(z.string()).default(['/ip4/0.0.0.0/tcp/4001']),
      /** How often missing records are asked for when nobody announces any. */
      syncSeconds: z.number().positive().default(30),
    })
    .prefault({}),
  http: z
    .strictObject({
      /** Health, metrics and status. Loopback unless the operator says otherwise. */
      host: z.string().default('127.0.0.1'),
      /** 0 takes any free port; the node writes which. */
      port: port.default(0),
      /** Who may ask from where else, or behind a proxy; see `token create`. None: this machine only. */
      tokens: z
        .array(tokenConfig)
        .max(256)
        .refine((tokens) => new Set(tokens.map(({ name }) => name)).size === tokens.length, {
          message: 'two tokens of one name',
        })
        .default([]),
    })
    .prefault({}),
  data: z
    .strictObject({
      /** Patients that the site trains on; none for a validator or an observer. */
      train: cohort.nullable().default(null),
      /** Patients that it evaluates on, never among those it trains on. */
      test: cohort.nullable().default(null),
    })
    .prefault({}),
  compute: z
    .strictObject({
      /** What the site computes with; the environment's CONSILIUM_COMPUTE goes before it. */
      engine: z.enum(engineNames).default(defaultEngine),
      threads: z.int().min(1).max(256).default(1),
      /** Lets onnx-webgpu compute on a Vulkan driver that is software: for tests. */
      allowSoftware: z.boolean().default(false),
    })
    .prefault({}),
  training: z
    .strictObject({
      /** Width of the update's integers; what is rounded away goes into the next update. */
      payloadBits: z.union([z.literal(8), z.literal(16), z.literal(32)]).default(16),
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      /** Evaluate after every n-th round, and after the last. 0: after the last only. */
      everyRounds: z.int().min(0).default(1),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') })
    .prefault({}),
});

export type Config = z.infer<typeof configSchema>;
/** Where a site's patients come from. */
export type CohortConfig = z.infer<typeof cohort>;

/**
 * Reads and checks a configuration file; every default is filled in.
 * @throws {NodeError} `CONFIG`, naming the key and what was wanted, or `FOLDER_MISSING`.
 */
export async function loadConfig(path: string): Promise<Config> {
  return checkConfig(await readConfig(path), path);
}

/**
 * What a configuration file says, unchecked and without defaults.
 * @throws {NodeError} `CONFIG` when it is no YAML, or `FOLDER_MISSING`.
 */
export async function readConfig(path: string): Promise<unknown> {
  try {
    return parseYaml(await readFile(path, 'utf8'), path);
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    throw new NodeError(
      'FOLDER_MISSING',
      `cannot read ${path}`,
      'run `consilium init --folder DIR` first, or name the folder with --folder',
      { cause },
    );
  }
}

/** @throws {NodeError} `CONFIG`. */
export function checkConfig(value: unknown, path: string): Config {
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.') || 'the top level';
  if (issue?.code === 'unrecognized_keys') {
    throw new NodeError(
      'CONFIG',
      `${path}: unknown key ${issue.keys.join(', ')} at ${where}`,
      where === 'compute' && issue.keys.includes('provider')
        ? `compute.provider has become compute.engine: ${engineNames.join(', ')}`
        : '`consilium config print --effective` shows every key that there is',
    );
  }
  throw new NodeError(
    'CONFIG',
    `${path}: ${where}: ${issue?.message}`,
    where === 'compute.engine'
      ? `one of ${engineNames.join(', ')}; \`consilium doctor compute\` tells which work here`
      : '`consilium config print --effective` shows every key with a valid value',
  );
}

/** The configuration as YAML, defaults included. */
export function printConfig(config: Config): string {
  return stringify(config);
}
