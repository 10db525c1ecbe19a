import { type EngineName, engineNames } from '@consilium/compute';
import { type ChosenEngine, sourceWords } from './chosen-engine.ts';
import { softwareVulkan } from './device-name.ts';
import type { EngineProbe } from './engine-probe.ts';

/** What `doctor compute` found, for people and for programs. */
export interface ComputeReport {
  readonly chosen: ChosenEngine;
  readonly engines: readonly EngineProbe[];
  /** What to do, a sentence each; the first is about the chosen engine where that does not work. */
  readonly advice: readonly string[];
}

/** A gradient further than this from `onnx-cpu`'s is wrong: float32 rounding at ReLU's corner stays well below. */
const allowedDifference = 0.01;
/** Below this gain a change is not worth its while. */
const worthwhile = 1.2;

/** Judges the probes: one whose gradient is not `onnx-cpu`'s does not work, however fast. */
export function computeReport(chosen: ChosenEngine, probes: readonly EngineProbe[]): ComputeReport {
  const truth = probes.find(({ engine }) => engine === 'onnx-cpu');
  const engines = probes.map((probe): EngineProbe => {
    if (!probe.works || truth?.works !== true) return probe;
    const difference = Math.abs(probe.gradientNorm / truth.gradientNorm - 1);
    if (difference <= allowedDifference) return probe;
    const { engine } = probe;
    const share = (100 * difference).toFixed(1);
    const reason = `on ${probe.device} its gradient is ${share} % away from onnx-cpu’s`;
    return { engine, works: false, code: 'WRONG_RESULT', reason };
  });
  return { chosen, engines, advice: [...adviceOn(chosen, engines)] };
}

/** What makes an engine work that does not. */
export function remedyFor(engine: EngineName): string {
  switch (engine) {
    case 'onnx-webgpu':
      return 'install the Vulkan driver of the GPU and its loader (Debian: libvulkan1 and mesa-vulkan-drivers; NVIDIA’s driver brings its own), and let the account open /dev/dri/renderD*; a driver that computes in software counts only with --allow-software here and compute.allowSoftware: true in consilium.yaml';
    case 'onnx-cuda':
      return 'on a machine with CUDA 12 and cuDNN 9, fetch onnxruntime’s CUDA build: `ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js`';
    case 'tfjs-gpu':
      return 'run `npm run setup:gpu`; it wants CUDA 11.2 and cuDNN 8.1';
    case 'tfjs-node':
      return 'run `npm run setup:gpu -- --cpu`';
    case 'onnx-cpu':
    case 'tfjs-wasm':
      return 'run `npm ci` again: it comes with the packages and needs nothing else';
  }
}

function* adviceOn(chosen: ChosenEngine, engines: readonly EngineProbe[]): Iterable<string> {
  const probe = engines.find(({ engine }) => engine === chosen.engine);
  const measured = engines
    .flatMap((each) =>
      each.works && each.medianMs !== null ? [{ engine: each.engine, ms: each.medianMs }] : [],
    )
    .sort((a, b) => a.ms - b.ms);
  const [fastest] = measured;
  if (probe?.works === false) {
    yield `${chosen.engine} is chosen and does not work: ${remedyFor(chosen.engine)}`;
    if (fastest !== undefined) yield `until then, compute.engine: ${fastest.engine} works here`;
  } else if (fastest !== undefined && probe?.works === true && probe.medianMs !== null) {
    const gain = probe.medianMs / fastest.ms;
    if (gain >= worthwhile)
      yield `compute.engine: ${fastest.engine} would be ${gain.toFixed(1)} times as fast here`;
  }
  // A GPU is what would be faster, and only the engines that can use one are worth an installation.
  if (!engines.some((each) => each.works && usesGpu.has(each.engine) && !isSoftware(each.device))) {
    for (const each of engines)
      if (!each.works && usesGpu.has(each.engine) && each.engine !== chosen.engine)
        yield `with a GPU, for ${each.engine}: ${remedyFor(each.engine)}`;
  }
}

function isSoftware(device: string): boolean {
  return device.startsWith(softwareVulkan);
}

const usesGpu: ReadonlySet<EngineName> = new Set(['onnx-webgpu', 'onnx-cuda', 'tfjs-gpu']);

/** The report as a table with what follows from it. */
export function* reportLines({ chosen, engines, advice }: ComputeReport): Iterable<string> {
  const width = Math.max(...engineNames.map(({ length }) => length));
  yield `chosen    ${chosen.engine}: ${sourceWords[chosen.source]}`;
  for (const probe of engines) {
    const mark = probe.engine === chosen.engine ? '*' : ' ';
    const name = `${mark} ${probe.engine.padEnd(width)}`;
    if (probe.works) {
      const pace = probe.medianMs === null ? '' : `${probe.medianMs.toFixed(1)} ms/step`;
      yield `${name}  works    ${pace.padStart(15)}  ${probe.device}`;
    } else {
      const state = probe.code === 'PROVIDER_MISSING' ? 'missing' : 'FAILS  ';
      yield `${name}  ${state}  ${probe.reason.replace(/\s+/g, ' ').trim()}`;
    }
  }
  for (const sentence of advice) yield `advice    ${sentence}`;
}
