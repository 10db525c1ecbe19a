import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isLocal } from '@consilium/weights';
import { describe, expect, test } from 'vitest';
import { initialWeights, networkLayout } from './network.ts';
import { decodePretrained, encodePretrained, pretrainedFile } from './pretrained.ts';
import { defaultTask, smallTask } from './task.ts';

describe.each([
  ['small', smallTask.network],
  ['default', defaultTask.network],
])('the file of task %s', (name, network) => {
  const url = pretrainedFile(network) as URL;
  const layout = networkLayout(network);

  test('is small, and holds finite weights that moved away from random ones', async () => {
    const bytes = await readFile(url);
    expect(bytes.length).toBeLessThan(400 * 1024);
    const weights = decodePretrained(network, bytes);
    expect(weights).toHaveLength(layout.length);
    expect(weights.every(Number.isFinite)).toBe(true);
    const random = initialWeights(network, 1);
    for (const { name, offset, length } of layout.tensors) {
      const values = weights.subarray(offset, offset + length);
      if (isLocal(name)) {
        expect(values.every((value) => value === 0)).toBe(true);
      } else {
        expect(values).not.toEqual(random.subarray(offset, offset + length));
      }
    }
  });

  test('lies exactly on a study’s grid of 2^-20', async () => {
    const weights = decodePretrained(network, await readFile(url));
    expect(weights.every((value) => Number.isInteger(value * 2 ** 20))).toBe(true);
  });

  test('is the one that its description speaks of', async () => {
    const bytes = await readFile(url);
    const description = JSON.parse(
      await readFile(new URL(url.href.replace(/conw$/, 'json')), 'utf8'),
    );
    expect(description.task).toBe(name);
    expect(description.digest).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(description.layoutDigest).toBe(layout.digest);
    expect(description.quality.external.pretrained.diceInLung.mean).toBeGreaterThan(
      description.quality.external.random.diceInLung.mean,
    );
  });
});

test('weights come back from their bytes within half a step of each tensor, corrections as zero', () => {
  const { network } = smallTask;
  const layout = networkLayout(network);
  const weights = initialWeights(network, 3).map((value, i) => value + (i % 7) / 3000);
  const back = decodePretrained(network, encodePretrained(network, weights));
  for (const { name, offset, length } of layout.tensors) {
    const own = weights.subarray(offset, offset + length);
    const read = back.subarray(offset, offset + length);
    const largest = Math.max(...own.map(Math.abs));
    const half = Math.max(largest / (2 ** 15 - 1), 2 ** -20);
    for (const [i, value] of read.entries()) {
      const wanted = isLocal(name) ? 0 : (own[i] as number);
      expect(Math.abs(value - wanted)).toBeLessThanOrEqual(isLocal(name) ? 0 : half);
    }
  }
});

test('another network has no file, however little it differs', () => {
  expect(pretrainedFile({ ...smallTask.network, groupChannels: 4 })).toBeNull();
  expect(pretrainedFile({ ...defaultTask.network, channels: [12, 24, 48, 65] })).toBeNull();
  expect(pretrainedFile(structuredClone(defaultTask.network))).not.toBeNull();
});
