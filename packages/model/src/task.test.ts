import { describe, expect, test } from 'vitest';
import { ModelError } from './error.ts';
import { initialWeights, networkLayout } from './network.ts';
import { defaultTask, parseTask, smallTask } from './task.ts';

/** The default task as plain data with one value replaced, or removed when `value` is undefined. */
function changed(path: string, value: unknown): unknown {
  const plain = JSON.parse(JSON.stringify(defaultTask));
  const keys = path.split('.');
  const last = keys.pop() as string;
  const holder = keys.reduce((inner, key) => inner[key], plain);
  if (value === undefined) {
    delete holder[last];
  } else {
    holder[last] = value;
  }
  return plain;
}

describe('a task', () => {
  test.each([
    ['default', defaultTask],
    ['small', smallTask],
  ])('the %s one survives being written and read', (_, task) => {
    expect(parseTask(JSON.parse(JSON.stringify(task)))).toEqual(task);
  });

  test.each([
    ['network.colour', 'red', 'task.network.colour: is not a known key'],
    ['extra', 1, 'task.extra: is not a known key'],
    ['training.augmentation.wobble', 0, 'task.training.augmentation.wobble'],
    ['training.batch', undefined, 'task.training.batch: is missing'],
    ['training.batch', 0, 'task.training.batch: must be an integer in [1, 64], got 0'],
    ['training.batch', 2.5, 'task.training.batch'],
    ['training.learningRate', Number.NaN, 'task.training.learningRate'],
    ['training.learningRate', '0.1', 'task.training.learningRate'],
    ['network.slices', 2, 'task.network.slices: must be odd'],
    ['network.size', 100, 'task.network.size: must be a multiple of 8'],
    ['network.cropSize', 136, 'task.network.cropSize'],
    ['network.channels', [12], 'task.network.channels'],
    ['network.channels', 'many', 'task.network.channels'],
    ['network.channels', [12, 25], 'task.network.groupChannels'],
    ['input.windowHu', [400, -1000], 'task.input.windowHu: must rise'],
    ['input.percentiles', [5, 5], 'task.input.percentiles: must rise'],
    ['input', null, 'task.input: must be an object'],
    ['kind', 'nodule', 'task.kind: must be one of lesion'],
    ['version', 2, 'task.version'],
  ])('with %s = %j is refused with its path', (path, value, message) => {
    const read = (): unknown => parseTask(changed(path, value));
    expect(read).toThrow(ModelError);
    expect(read).toThrow(message);
  });

  test.each([null, 7, 'task', []])('%j is none', (value) => {
    expect(() => parseTask(value)).toThrow(expect.objectContaining({ code: 'TASK_INVALID' }));
  });
});

describe('the network', () => {
  test('has corrections of the site for every norm, of the shapes that they correct', () => {
    const { tensors } = networkLayout(defaultTask.network);
    const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
    const corrections = tensors.filter(({ name }) => name.startsWith('site/'));
    expect(corrections).toHaveLength(20);
    for (const { name, shape } of corrections) {
      expect(shapes.get(name.slice('site/'.length))).toEqual(shape);
    }
  });

  test('of the default task has 0.14 million weights', () => {
    expect(networkLayout(defaultTask.network).length).toBe(136_942);
  });

  test('starts from the same numbers on every machine', () => {
    const weights = initialWeights(smallTask.network, 7);
    expect(weights).toEqual(initialWeights(smallTask.network, 7));
    expect(weights).not.toEqual(initialWeights(smallTask.network, 8));
    expect([...weights.slice(0, 4)]).toMatchInlineSnapshot(`
      [
        -0.2380361557006836,
        -0.29666614532470703,
        0.17850971221923828,
        -0.15482234954833984,
      ]
    `);
    let sum = 0;
    for (const [i, value] of weights.entries()) {
      expect(Number.isInteger(value * 2 ** 20)).toBe(true);
      sum += value * ((i % 7) + 1);
    }
    expect(sum).toMatchInlineSnapshot(`676.2581214904785`);
  });

  test('starts with the spread that the layer asks for, and with corrections of zero', () => {
    const { network } = defaultTask;
    const weights = initialWeights(network, 1);
    for (const { name, shape, offset, length } of networkLayout(network).tensors) {
      const values = weights.subarray(offset, offset + length);
      const spread = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / length);
      if (name.startsWith('site/')) {
        expect(values.every((value) => value === 0)).toBe(true);
      } else if (
        /^(down|up)\d.*\/weight$/.test(name) &&
        !name.includes('reduce') &&
        length > 2000
      ) {
        expect(spread / Math.sqrt(2 / (length / (shape[0] ?? 1)))).toBeCloseTo(1, 1);
      }
    }
  });
});
