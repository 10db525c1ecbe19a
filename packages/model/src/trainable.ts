import { isLocal, type Layout } from '@consilium/weights';
import { ModelError } from './error.ts';
import { networkLayout } from './network.ts';
import type { LesionTask, NetworkSpec } from './task.ts';

/**
 * A named part of the network, to be trained while the rest stays as it was pre-trained. The fewer values, the less noise a private step adds:
 *
 * - `head`: the 1×1 convolution from the finest features to the two logits. 26 values in the built-in tasks.
 * - `norms`: scale and shift of every group norm. They can re-weigh what the network sees, not make new features.
 * - `last-stage`: the finest level on the way up, and the head. A gradient by it costs one and a half forward passes; by everything, three.
 * - `all`: everything.
 */
export type TrainablePart = 'head' | 'norms' | 'last-stage' | 'all';

const parts: Readonly<Record<TrainablePart, (name: string) => boolean>> = {
  head: (name) => name.startsWith('head/'),
  norms: (name) => name.endsWith('/scale') || name.endsWith('/shift'),
  'last-stage': (name) => name.startsWith('up0/') || name.startsWith('head/'),
  all: () => true,
};

/** The names of {@link TrainablePart}s. */
export const trainableParts: readonly TrainablePart[] = Object.keys(parts) as TrainablePart[];

/**
 * The exact names of the shared tensors that `patterns` stand for, each once, in the network's order. A pattern is a {@link TrainablePart} or
 * a shared tensor's own name.
 *
 * @throws {ModelError} `LAYOUT_MISMATCH` for a pattern that names nothing of the network, a site's own correction among them, or none at all.
 */
export function trainableTensors(network: NetworkSpec, patterns: readonly string[]): string[] {
  const shared = sharedNames(networkLayout(network));
  const chosen = new Set(patterns.flatMap((pattern) => expand(pattern, shared)));
  if (chosen.size === 0) {
    throw new ModelError('LAYOUT_MISMATCH', 'no tensor is named to be trained');
  }
  return shared.filter((name) => chosen.has(name));
}

/**
 * Every tensor that moves when the shared ones named `trainable` are trained: those, and beside each the site's own correction `site/…` of it, where the
 * network has one and the task lets corrections move (`siteRate` above 0). In the network's order.
 *
 * @throws {ModelError} `LAYOUT_MISMATCH` when a name is not a shared tensor's or comes twice, or there is none.
 */
export function trainedTensors(task: LesionTask, trainable: readonly string[]): string[] {
  const layout = networkLayout(task.network);
  const shared = new Set(sharedNames(layout));
  const chosen = new Set(trainable);
  const unknown = trainable.find((name) => !shared.has(name));
  if (unknown !== undefined) {
    throw new ModelError('LAYOUT_MISMATCH', `the network shares no tensor ${unknown}`);
  }
  if (chosen.size !== trainable.length || chosen.size === 0) {
    throw new ModelError(
      'LAYOUT_MISMATCH',
      `${trainable.length} names stand for ${chosen.size} trainable tensors`,
    );
  }
  return layout.tensors
    .map(({ name }) => name)
    .filter((name) =>
      isLocal(name)
        ? task.training.siteRate > 0 && chosen.has(name.slice('site/'.length))
        : chosen.has(name),
    );
}

function expand(pattern: string, shared: readonly string[]): string[] {
  const part = Object.hasOwn(parts, pattern) ? parts[pattern as TrainablePart] : undefined;
  const names = shared.filter(part ?? ((name) => name === pattern));
  if (names.length === 0) {
    throw new ModelError(
      'LAYOUT_MISMATCH',
      `${pattern} is neither one of ${trainableParts.join(', ')} nor a tensor that the network shares`,
    );
  }
  return names;
}

function sharedNames({ tensors }: Layout): string[] {
  return tensors.map(({ name }) => name).filter((name) => !isLocal(name));
}
