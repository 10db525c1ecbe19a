// Enables TensorFlow.js's native library, which npm does not download here: the engine `tfjs-gpu`, or with --cpu `tfjs-node`.
//   npm run setup:gpu -- [--cpu] [--mirror URL] [--check]
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createEngine, createGraph } from '@consilium/compute';
import { installNative } from './setup-gpu/install-native.ts';
import {
  checkMirror,
  type NativePackage,
  packageNames,
  readNativePackage,
  SetupError,
} from './setup-gpu/native-package.ts';

const otherwise =
  '`npm run setup:gpu -- --help` says what it wants; for current GPUs there are onnx-cuda and onnx-webgpu, without one onnx-cpu and tfjs-wasm';
const machine = { platform: platform(), arch: arch(), napi: Number(process.versions['napi']) };

const limits =
  'note: it wants CUDA 11.2 and cuDNN 8.1 (libcudart.so.11.0, libcudnn.so.8), and was built for GPUs up to compute capability 8.0 (A100): it has no kernels of its own for current ones';

try {
  const { values: options } = parseArgs({
    options: {
      cpu: { type: 'boolean', default: false },
      mirror: { type: 'string' },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const kind = options.cpu ? 'cpu' : 'gpu';
  const native = readNativePackage(kind, findPackage(kind), machine);
  if (options.help) console.log(helpOf(native));
  else if (options.check) await check(native);
  else await setUp(native, options.mirror === undefined ? undefined : checkMirror(options.mirror));
} catch (error) {
  if (!(error instanceof Error)) throw error;
  const known = error instanceof SetupError || ('code' in error && typeof error.code === 'string');
  if (!known) throw error;
  console.error(`error: ${error.message}`);
  console.error(`hint: ${error instanceof SetupError ? error.hint : otherwise}`);
  process.exitCode = 1;
}

async function setUp(native: NativePackage, mirror: string | undefined): Promise<void> {
  console.log(`${native.name} ${native.version}: TensorFlow ${native.libraryVersion}`);
  if (native.kind === 'gpu') console.log(limits);
  await installNative(native, { environment: process.env, ...(mirror && { mirror }) });
  // In a process of its own: a library that does not fit the machine may end it.
  const self = fileURLToPath(import.meta.url);
  const flags = native.kind === 'cpu' ? ['--cpu', '--check'] : ['--check'];
  const { status, signal } = spawnSync(process.execPath, [...process.execArgv, self, ...flags], {
    stdio: 'inherit',
  });
  if (signal !== null) {
    throw new SetupError(
      `the native library ended its process with ${signal}`,
      'it was built for other processors or another system library; onnx-cpu and tfjs-wasm compute anywhere',
    );
  }
  process.exitCode = status ?? 1;
}

/** Loads the library, computes with it and tells on what. @throws {ComputeError} `PROVIDER_MISSING`. */
async function check({ kind, libraryVersion }: NativePackage): Promise<void> {
  const name = kind === 'gpu' ? 'tfjs-gpu' : 'tfjs-node';
  const engine = await createEngine(name);
  const graph = createGraph();
  graph.output('y', graph.relu(graph.input('x', [3])));
  const program = await engine.compile(graph.build());
  const { outputs } = await program.run({ x: Float32Array.of(-2, 0, 3) }, new Float32Array());
  await engine.close();
  if (outputs['y']?.join() !== '0,0,3') {
    throw new SetupError(
      `${name} computed relu(−2, 0, 3) as ${outputs['y']?.join(', ')}`,
      'do not use it on this machine; onnx-cpu and tfjs-wasm compute anywhere',
    );
  }
  console.log(
    `${name} computes on the ${kind === 'gpu' ? 'GPU' : 'CPU'}, TensorFlow ${libraryVersion}`,
  );
}

function findPackage(kind: 'gpu' | 'cpu'): string {
  const compute = createRequire(import.meta.resolve('@consilium/compute'));
  try {
    return dirname(compute.resolve(`${packageNames[kind]}/package.json`));
  } catch (cause) {
    throw new SetupError(
      `${packageNames[kind]} is not installed`,
      'run `npm ci` without `--omit=optional`',
      { cause },
    );
  }
}

function helpOf({
  name,
  version,
  libraryVersion,
  downloads: [library, binding],
}: NativePackage): string {
  return `npm run setup:gpu -- [--cpu] [--mirror URL] [--check]

Enables ${name} ${version} (TensorFlow ${libraryVersion}), which npm installs without its native part, and tries it.

  --cpu         the library for the CPU (engine tfjs-node) instead of the one with CUDA (tfjs-gpu)
  --mirror URL  take the files from a server of your own
  --check       download nothing, and tell what is there

Two files are downloaded by the package's own script, which checks no sums, from https://storage.googleapis.com (HTTPS_PROXY is honoured).
A mirror has them at the same paths; for this machine, below the mirror's URL:

  ${library}
  ${binding}

The package's own variables do the same: TFJS_NODE_CDN_STORAGE=URL/ and
npm_config_tfjs_binding_binary_host_mirror=URL/tf-builds/pre-built-binary

${limits}
`;
}
