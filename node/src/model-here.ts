import { type LesionTask, networkLayout, parseTask } from '@consilium/model';
import type { SiteId } from '@consilium/records';
import type { StudyState } from '@consilium/study';
import { fromGrid, type Layout, putPart, splitLayout } from '@consilium/weights';
import type { TrainingState, TrainingStore } from './training-store.ts';

/** A state's model as one site has it: the network's shared weights, with the site's own corrections beside them. */
export interface ModelHere {
  readonly task: LesionTask;
  /** The whole vector's layout, and its shared and local parts. */
  readonly layout: Layout;
  readonly shared: Layout;
  readonly local: Layout;
  readonly weights: Float32Array;
  /** What the site's last training left behind; null before the first. The corrections are zero then. */
  readonly training: TrainingState | null;
}

/** @throws {ModelError} `TASK_INVALID` when the manifest's task is none. */
export async function modelHere(
  state: StudyState,
  site: SiteId,
  trainingStore: TrainingStore,
): Promise<ModelHere> {
  const task = parseTask(state.manifest.task);
  const layout = networkLayout(task.network);
  const { shared, local } = splitLayout(layout);
  const lastRound = state.members.find((member) => member.site === site)?.lastRound ?? 0;
  const training = lastRound > 0 ? await trainingStore.load(lastRound) : null;
  const weights = new Float32Array(layout.length);
  putPart(layout, shared, weights, fromGrid(state.weights, state.manifest.gridExponent));
  if (training !== null) putPart(layout, local, weights, training.local);
  return { task, layout, shared, local, weights, training };
}
