import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** One of TensorFlow.js's native packages as installed, and what its own scripts say that it downloads. */
export interface NativePackage {
  readonly kind: 'gpu' | 'cpu';
  readonly name: string;
  readonly version: string;
  readonly directory: string;
  /** The version of TensorFlow's native library. */
  readonly libraryVersion: string;
  /** Where the library lies when it has been downloaded. */
  readonly libraryPath: string;
  /** The library's archive and the prebuilt binding, below the server's address. */
  readonly downloads: readonly [library: string, binding: string];
}

/** The machine that the library is for: Node's own `os.platform()`, `os.arch()` and `process.versions.napi`. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  readonly napi: number;
}

/** A native package cannot be used; the hint says what can be done. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
  readonly hint: string;
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

export const packageNames: Readonly<Record<'gpu' | 'cpu', string>> = {
  gpu: '@tensorflow/tfjs-node-gpu',
  cpu: '@tensorflow/tfjs-node',
};

/**
 * Reads the package in `directory`.
 * @throws {SetupError} when the package is not there, or has no build for `machine`.
 */
export function readNativePackage(
  kind: 'gpu' | 'cpu',
  directory: string,
  machine: Machine,
): NativePackage {
  const manifest: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const { name, version, binary } = fields(manifest);
  const constants = fields(createRequire(join(directory, 'x.js'))('./scripts/deps-constants.js'));
  const system = fields(constants['PLATFORM_MAPPING'])[machine.platform];
  const architecture = fields(constants['ARCH_MAPPING'])[machine.arch];
  const builds = list(constants['ALL_SUPPORTED_COMBINATION']);
  const build = `${kind}-${system}-${architecture}`;
  if (!builds.includes(build)) {
    throw new SetupError(
      `${name} has no build for ${machine.platform} on ${machine.arch}`,
      `it has: ${builds.filter((each) => String(each).startsWith(kind)).join(', ')}; onnx-cpu and tfjs-wasm compute anywhere`,
    );
  }
  const napi = Math.max(
    ...list(fields(binary)['napi_versions'])
      .map(Number)
      .filter((each) => each <= machine.napi),
  );
  const libraryVersion = String(constants['LIBTENSORFLOW_VERSION']);
  const extension = machine.platform === 'win32' ? 'zip' : 'tar.gz';
  return {
    kind,
    name: String(name),
    version: String(version),
    directory,
    libraryVersion,
    libraryPath: String(constants['depsLibTensorFlowPath']),
    downloads: [
      `tensorflow/libtensorflow/libtensorflow-${build}-${libraryVersion}.${extension}`,
      `${bindings}/napi-v${napi}/${version}/${kind.toUpperCase()}-${system}-${version}.${extension}`,
    ],
  };
}

/** Where the server of the prebuilt bindings has them. */
const bindings = 'tf-builds/pre-built-binary';

/**
 * The environment in which the package's own install script takes everything from `mirror`, which has the layout of
 * `storage.googleapis.com`; without one, from there. `node-pre-gyp`, which the script starts, is found as npm would find it.
 */
export function installEnvironment(
  { directory }: NativePackage,
  inherited: Readonly<Record<string, string | undefined>>,
  mirror?: string,
): Record<string, string | undefined> {
  const folders: string[] = [];
  for (let folder = directory; folder !== dirname(folder); folder = dirname(folder)) {
    const tools = join(folder, 'node_modules', '.bin');
    if (existsSync(tools)) folders.push(tools);
  }
  const separator = process.platform === 'win32' ? ';' : ':';
  const path = [...folders, inherited['PATH'] ?? ''].join(separator);
  const environment = {
    ...inherited,
    PATH: path,
    // Else a binding that does not come makes it compile one, with a compiler and headers that it would download, too.
    npm_config_argv: JSON.stringify({ cooked: ['--fallback-to-build', 'false'] }),
  };
  if (mirror === undefined) return environment;
  return {
    ...environment,
    // Its script joins the path without a slash between.
    TFJS_NODE_CDN_STORAGE: `${withoutSlash(mirror)}/`,
    npm_config_tfjs_binding_binary_host_mirror: `${withoutSlash(mirror)}/${bindings}`,
  };
}

/** An address of a mirror without its last slash. @throws {SetupError} when it is none. */
export function checkMirror(address: string): string {
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new SetupError(
      `${address} is no address of a mirror`,
      'give one that begins with http:// or https://',
    );
  }
  return withoutSlash(address);
}

function withoutSlash(address: string): string {
  return address.replace(/\/+$/, '');
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return { ...value };
  throw new SetupError(
    'the package is not laid out as version 4.22.0 is',
    'run `npm ci`, which installs the version that this repository was tried with',
  );
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : Object.values(fields(value));
}
