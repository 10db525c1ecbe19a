import { adam, compileTraining, differentiate, gradientLayoutOf } from '@consilium/compute';
import { type EngineChoice, openEngine } from './kit-engine.ts';
import { type Patience, type Timing, timeRuns } from './stopwatch.ts';
import { drawBatch, type StepSize, startWeights, unetGraph } from './unet-step.ts';

export interface TrainingSettings extends EngineChoice, StepSize {
  readonly patience: Patience;
}

export interface TrainingRow extends StepSize, Timing {
  /** Loading the graph, shaders included as far as the first two runs compile them. */
  readonly firstStepMs: number;
}

/** Milliseconds of a training step of the reference U-Net as a node takes it: batch in, forward, backward, Adam, loss out; weights stay where the engine keeps them. */
export async function trainingPart(
  settings: TrainingSettings,
  say: (row: TrainingRow) => void,
): Promise<void> {
  const { batch, size, patience } = settings;
  const began = performance.now();
  const graph = differentiate(unetGraph(settings), 'loss');
  const engine = await openEngine(settings);
  const weights = startWeights(graph, 7);
  const inputs = drawBatch(settings, 3);
  const optimizer = adam({ learningRate: 1e-3 });
  const state = optimizer.start(gradientLayoutOf(graph).length);
  const program = await compileTraining(engine, graph, { optimizer }, { weights, state });
  const step = async (): Promise<void> => {
    const { loss } = await program.step(inputs);
    if (!Number.isFinite(loss?.[0])) throw new Error(`the loss became ${loss?.[0]}`);
  };
  await step();
  const firstStepMs = performance.now() - began;
  say({ batch, size, firstStepMs, ...(await timeRuns(step, patience)) });
}
