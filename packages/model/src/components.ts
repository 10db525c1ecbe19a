/** The connected regions of one plane: `labels` holds 0 outside and 1…`count` inside; `pixels[label]` counts them. */
export interface Components {
  readonly labels: Int32Array;
  readonly count: number;
  readonly pixels: readonly number[];
}

/**
 * The 8-connected regions of one 0/1 plane [height][width], numbered in reading order of their first pixel.
 * Regions of fewer than `minPixels` pixels are dropped.
 */
export function componentsOf(
  plane: Uint8Array,
  width: number,
  height: number,
  minPixels: number,
): Components {
  const labels = new Int32Array(plane.length);
  const pixels = [0];
  const stack: number[] = [];
  let count = 0;
  for (let start = 0; start < plane.length; start++) {
    if (plane[start] === 0 || labels[start] !== 0) {
      continue;
    }
    const label = count + 1;
    const members = flood(plane, labels, width, height, start, label, stack);
    if (members.length >= minPixels) {
      count = label;
      pixels.push(members.length);
    } else {
      for (const member of members) {
        labels[member] = -1;
      }
    }
  }
  for (let i = 0; i < labels.length; i++) {
    labels[i] = Math.max(0, labels[i] as number);
  }
  return { labels, count, pixels };
}

function flood(
  plane: Uint8Array,
  labels: Int32Array,
  width: number,
  height: number,
  start: number,
  label: number,
  stack: number[],
): number[] {
  const members: number[] = [];
  stack.push(start);
  labels[start] = label;
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    members.push(place);
    const x = place % width;
    const y = (place - x) / width;
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        const next = v * width + u;
        if (plane[next] !== 0 && labels[next] === 0) {
          labels[next] = label;
          stack.push(next);
        }
      }
    }
  }
  return members;
}
