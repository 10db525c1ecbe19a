/**
 * The values that stand at the given ranks (0 is the smallest) once all are sorted, −NaN first and NaN last, without sorting: two passes
 * that count, one by the upper 16 bits of each float32, one by the lower 16 within the places where a rank fell.
 *
 * @throws {RangeError} when a rank is no place in `values`.
 */
export function valuesAtRanks(values: Float32Array, ranks: readonly number[]): number[] {
  for (const rank of ranks) {
    if (!(Number.isInteger(rank) && rank >= 0 && rank < values.length)) {
      throw new RangeError(`rank ${rank} of ${values.length} values`);
    }
  }
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const byUpper = new Uint32Array(halves);
  for (let i = 0; i < bits.length; i++) {
    const upper = ordered(bits[i] as number) >>> 16;
    byUpper[upper] = (byUpper[upper] as number) + 1;
  }
  const places = ranks.map((rank) => placeOf(byUpper, rank));
  const byLower = new Map(places.map(({ place }) => [place, new Uint32Array(halves)]));
  const isWanted = new Uint8Array(halves);
  for (const { place } of places) {
    isWanted[place] = 1;
  }
  for (let i = 0; i < bits.length; i++) {
    const key = ordered(bits[i] as number);
    if (isWanted[key >>> 16] === 1) {
      const counts = byLower.get(key >>> 16) as Uint32Array;
      const lower = key & 0xffff;
      counts[lower] = (counts[lower] as number) + 1;
    }
  }
  return places.map(({ place, rank }) => {
    const lower = placeOf(byLower.get(place) as Uint32Array, rank).place;
    return floatOf(((place << 16) | lower) >>> 0);
  });
}

const halves = 2 ** 16;

/** Where, among counted values, the one of a rank is, and its rank among those of that place. */
function placeOf(counts: Uint32Array, rank: number): { place: number; rank: number } {
  let left = rank;
  let place = 0;
  while (left >= (counts[place] as number)) {
    left -= counts[place] as number;
    place += 1;
  }
  return { place, rank: left };
}

/** A float32's bits as a whole number of the same order: positive ones above all negative ones, whose order is turned. */
function ordered(bits: number): number {
  return (bits & signBit ? ~bits : bits | signBit) >>> 0;
}

const signBit = 0x80000000;

function floatOf(key: number): number {
  const bits = Uint32Array.of(key & signBit ? key & ~signBit : ~key);
  return new Float32Array(bits.buffer)[0] as number;
}
