/**
 * Fuses planes along the scan's axis with the weights ¼ ½ ¼ (the ends repeat): a finding that only one slice shows is halved, one that goes on is
 * kept. Values stay within the range of their neighbours.
 *
 * Of the planes that come in, in the scan's order, three are held at a time; the planes that go out are new.
 */
export async function* fuse(
  planes: AsyncIterable<Float32Array>,
): AsyncGenerator<Float32Array, void, void> {
  let below: Float32Array | undefined;
  let middle: Float32Array | undefined;
  for await (const above of planes) {
    if (middle !== undefined) {
      yield fused(below ?? middle, middle, above);
    }
    [below, middle] = [middle, above];
  }
  if (middle !== undefined) {
    yield fused(below ?? middle, middle, middle);
  }
}

function fused(below: Float32Array, middle: Float32Array, above: Float32Array): Float32Array {
  const result = new Float32Array(middle.length);
  for (let i = 0; i < result.length; i++) {
    result[i] = ((below[i] as number) + (above[i] as number)) / 4 + (middle[i] as number) / 2;
  }
  return result;
}
