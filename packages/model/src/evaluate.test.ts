import type { Patient } from '@consilium/imaging';
import { describe, expect, test } from 'vitest';
import { estimate } from './bootstrap.ts';
import { dice } from './dice.ts';
import { evaluatePatient, summarise } from './evaluate.ts';

/** A patient of one 4×4 slice, masks as text: '#' lesion in lung, '+' lung, '.' neither. */
function patientOf(rows: string): Patient {
  const signs = [...rows.replaceAll(/\s/g, '')];
  const mask = (inside: string): Uint8Array =>
    Uint8Array.from(signs, (sign) => (inside.includes(sign) ? 1 : 0));
  const size = [4, 4, 1] as const;
  return {
    id: 'p',
    scan: {
      voxels: new Float32Array(16),
      size,
      spacingMm: null,
      affine: null,
      intensity: 'display',
    },
    lung: { voxels: mask('#+'), size },
    lesion: { voxels: mask('#'), size },
  };
}
const prediction = (lungRows: string, lesionRows: string) => {
  const plane = (rows: string): Float32Array =>
    Float32Array.from(rows.replaceAll(/\s/g, ''), (sign) => (sign === '.' ? 0 : Number(sign) / 10));
  const lung = plane(lungRows);
  const lesionInLung = plane(lesionRows);
  const lesion = lesionInLung.map((value, i) => value * (lung[i] ?? 0));
  return { lung, lesion, lesionInLung };
};

describe('the figures of a patient', () => {
  const patient = patientOf('##+. ##+. +++. ....');
  test('a perfect prediction is perfect in each of them', () => {
    const { metrics } = evaluatePatient(
      patient,
      prediction('999. 999. 999. ....', '99.. 99.. .... ....'),
    );
    expect(metrics).toMatchObject({
      dice: 1,
      diceInLung: 1,
      lungDice: 1,
      sensitivityLenient: 1,
      sensitivityStrict: 1,
      falsePerSliceLenient: 0,
      burdenError: 0,
    });
    expect(metrics.burdenTruth).toBeCloseTo(4 / 9, 10);
  });

  test('in-lung Dice takes the true lung, Dice and burden the model’s own', () => {
    // The model's lung misses the lower lesion row; its lesion runs over the lung's border on the right.
    const { metrics } = evaluatePatient(
      patient,
      prediction('999. .... 999. ....', '99.9 99.9 .... ....'),
    );
    expect(metrics.diceInLung).toBe(1);
    expect(metrics.dice).toBeCloseTo((2 * 2) / (2 + 4), 10);
    expect(metrics.burden).toBeCloseTo(2 / 6, 10);
    expect(metrics.burdenError).toBeCloseTo(Math.abs(2 / 6 - 4 / 9), 10);
  });

  test('without lesions there is no Dice, but false candidates and a burden', () => {
    const { metrics } = evaluatePatient(
      patientOf('+++. +++. +++. ....'),
      prediction('999. 999. 999. ....', '99.. 99.. .... ....'),
    );
    expect(metrics).toMatchObject({ dice: null, sensitivityLenient: null, burdenTruth: 0 });
    expect(metrics.falsePerSliceLenient).toBe(1);
    expect(metrics.burden).toBeCloseTo(4 / 9, 10);
  });

  test('a patient without a mask cannot be judged', () => {
    const lungless = { ...patient, lung: null };
    expect(() => evaluatePatient(lungless, prediction('....', '....'))).toThrow(
      expect.objectContaining({ code: 'MASK_MISSING' }),
    );
  });
});

describe('the figures of a cohort', () => {
  const patient = patientOf('##+. ##+. +++. ....');
  const good = evaluatePatient(patient, prediction('999. 999. 999. ....', '99.. 99.. .... ....'));
  const nothing = evaluatePatient(patient, prediction('999. 999. 999. ....', '................'));

  test('marking nothing anywhere is called a collapse, missing one patient is not', () => {
    expect(summarise([nothing, nothing], 1).collapsed).toBe(true);
    expect(summarise([nothing, good], 1).collapsed).toBe(false);
  });

  test('the mean lies in its interval, which the seed fixes', () => {
    const cohort = [good, nothing, good, good];
    const { metrics } = summarise(cohort, 5);
    expect(metrics.dice.mean).toBe(0.75);
    expect(metrics.dice.low).toBeLessThan(0.75);
    expect(metrics.dice.high).toBeGreaterThan(0.75);
    expect(summarise(cohort, 5)).toEqual(summarise(cohort, 5));
  });

  test('figures that a patient does not have are left out of the mean', () => {
    expect(estimate([0.5, null, 0.7], 1)).toMatchObject({ patients: 2 });
    expect(estimate([0.5, null, 0.7], 1).mean).toBeCloseTo(0.6, 12);
    expect(estimate([null], 1)).toEqual({ mean: null, low: null, high: null, patients: 0 });
    expect(estimate([0.4], 1)).toEqual({ mean: 0.4, low: null, high: null, patients: 1 });
  });
});

test('Dice refuses masks of two sizes', () => {
  expect(() => dice(new Uint8Array(4), new Uint8Array(5))).toThrow(RangeError);
});
