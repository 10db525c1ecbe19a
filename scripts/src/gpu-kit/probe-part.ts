import { ComputeError, createGraph, type Engine } from '@consilium/compute';
import { type EngineChoice, openEngine } from './kit-engine.ts';

export interface ProbeRow {
  /** What loading the engine, compiling and running the smallest graph took. */
  readonly ms: number;
  /** Whether the device is a program on the processor. */
  readonly software: boolean;
}

/**
 * Shows that an engine finds its device and computes: relu of four numbers. Software devices are let in, and told.
 * @throws what the engine says when it does not work.
 */
export async function probePart(choice: EngineChoice, say: (row: ProbeRow) => void): Promise<void> {
  const began = performance.now();
  const g = createGraph();
  g.output('y', g.relu(g.input('x', [4])));
  const { engine, software } = await openAny(choice);
  const program = await engine.compile(g.build());
  const { outputs } = await program.run({ x: Float32Array.of(-2, 3, -5, 7) }, new Float32Array());
  const found = [...(outputs['y'] ?? [])].join(' ');
  if (found !== '0 3 0 7') throw new Error(`relu of -2 3 -5 7 came out as ${found}`);
  await engine.close();
  say({ ms: performance.now() - began, software });
}

async function openAny(choice: EngineChoice): Promise<{ engine: Engine; software: boolean }> {
  try {
    return { engine: await openEngine({ ...choice, allowSoftware: false }), software: false };
  } catch (error) {
    if (!(error instanceof ComputeError && choice.engine === 'onnx-webgpu')) throw error;
    // It may be refused for being software: then this works, and otherwise it fails with the reason.
    return { engine: await openEngine({ ...choice, allowSoftware: true }), software: true };
  }
}
