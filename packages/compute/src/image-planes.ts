import { ComputeError } from './error.ts';
import type { Shape } from './graph.ts';

/** An image's dimensions, of two or three spatial axes; without a depth axis `depth` is 1. */
export interface ImagePlanes {
  readonly samples: number;
  readonly depth: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** [N, C, H, W] or [N, C, D, H, W], taken apart. @throws {ComputeError} `BAD_GRAPH` for another rank. */
export function planesOf(shape: Shape, layer: string): ImagePlanes {
  const [samples = 1, channels = 1, ...spatial] = shape;
  const [width = 1, height = 1, depth = 1] = [...spatial].reverse();
  if (spatial.length !== 2 && spatial.length !== 3) {
    throw new ComputeError(
      'BAD_GRAPH',
      `${layer}: wanted [samples, channels, height, width] or with depth before height, got [${shape.join(', ')}]`,
    );
  }
  return { samples, depth, channels, height, width };
}

/** The image with every plane of every sample as a sample of its own: [N · D, C, H, W]. */
export function flatShape(planes: ImagePlanes): Shape {
  const { samples, depth, channels, height, width } = planes;
  return [samples * depth, channels, height, width];
}

/**
 * A blocked image with its depth as the height, and all else in a row: [N, block, D, C / block · H · W], in the same place in memory.
 * What the runtime's operators do along the height they then do along the depth.
 */
export function uprightShape(planes: ImagePlanes, block: number): Shape {
  const { samples, depth, channels, height, width } = planes;
  return [samples, block, depth, (channels / block) * height * width];
}
