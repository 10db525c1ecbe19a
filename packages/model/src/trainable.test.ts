import { splitLayout } from '@consilium/weights';
import { describe, expect, test } from 'vitest';
import { networkLayout } from './network.ts';
import { defaultTask, type LesionTask, smallTask } from './task.ts';
import { trainableParts, trainableTensors, trainedTensors } from './trainable.ts';

const { network } = smallTask;
const withSites: LesionTask = {
  ...smallTask,
  training: { ...smallTask.training, siteRate: 0.25 },
};

describe('a part of the network', () => {
  test('is a list of exact names in the network’s order', () => {
    expect(trainableTensors(network, ['head'])).toEqual(['head/weight', 'head/bias']);
    expect(trainableTensors(network, ['last-stage'])).toEqual([
      'up0/reduce/weight',
      'up0/weight',
      'up0/scale',
      'up0/shift',
      'head/weight',
      'head/bias',
    ]);
    const norms = trainableTensors(network, ['norms']);
    expect(norms.slice(0, 2)).toEqual(['down0/b/scale', 'down0/b/shift']);
    expect(norms).toHaveLength(2 * 7);
    const { shared } = splitLayout(networkLayout(network));
    expect(trainableTensors(network, ['all'])).toEqual(shared.tensors.map(({ name }) => name));
  });

  test.each(trainableParts)(
    '%s exists in both built-in tasks and holds nothing of a site',
    (part) => {
      for (const task of [smallTask, defaultTask]) {
        const names = trainableTensors(task.network, [part]);
        expect(names.length).toBeGreaterThan(0);
        expect(names.some((name) => name.startsWith('site/'))).toBe(false);
      }
    },
  );

  test('joins with others and with single tensors, each once', () => {
    expect(trainableTensors(network, ['last-stage', 'head', 'down0/b/shift', 'head/bias'])).toEqual(
      ['down0/b/shift', ...trainableTensors(network, ['last-stage'])],
    );
  });

  test('the built-in tasks’ heads have the 26 values that the documentation says', () => {
    const values = splitLayout(networkLayout(network))
      .shared.tensors.filter(({ name }) => trainableTensors(network, ['head']).includes(name))
      .reduce((sum, { length }) => sum + length, 0);
    expect(values).toBe(26);
  });

  test.each([[['tail']], [['site/up0/scale']], [['constructor']], [[]]])(
    'refuses %j',
    (patterns) => {
      expect(() => trainableTensors(network, patterns)).toThrow(
        expect.objectContaining({ name: 'ModelError', code: 'LAYOUT_MISMATCH' }),
      );
    },
  );
});

describe('what moves', () => {
  const trainable = ['head/bias', 'up0/shift', 'up0/weight'];

  test('is what is trainable, in the network’s order', () => {
    expect(trainedTensors(smallTask, trainable)).toEqual(['up0/weight', 'up0/shift', 'head/bias']);
  });

  test('and the site’s corrections of it, and of nothing else, where corrections may move', () => {
    expect(trainedTensors(withSites, trainable)).toEqual([
      'up0/weight',
      'up0/shift',
      'site/up0/shift',
      'head/bias',
    ]);
  });

  test.each([
    ['a part instead of a tensor', ['head']],
    ['a site’s correction', ['up0/shift', 'site/up0/shift']],
    ['a name twice', ['up0/shift', 'up0/shift']],
    ['no name', []],
  ])('refuses %s', (_, names) => {
    expect(() => trainedTensors(withSites, names)).toThrow(
      expect.objectContaining({ code: 'LAYOUT_MISMATCH' }),
    );
  });
});
