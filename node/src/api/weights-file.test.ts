import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type WeightsFormat, weightsMediaTypes } from '@consilium/client';
import { createOnnxEngine } from '@consilium/compute';
import { createLesionModel, networkLayout, seeded } from '@consilium/model';
import type { StudyState } from '@consilium/study';
import {
  decodePayload,
  fromGrid,
  putPart,
  splitLayout,
  toGrid,
  weightsDigest,
} from '@consilium/weights';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStudy, tinyTask } from './api-fixture.ts';
import { modelMetadata } from './model-metadata.ts';
import { weightsFile } from './weights-file.ts';

// A second implementation, of other authors: Debian's python3-onnx checks the model, and onnxruntime runs it from the file's bytes.
const python = '/usr/bin/python3';
const findOnnx = "import importlib.util, sys; sys.exit(importlib.util.find_spec('onnx') is None)";
const hasOnnx = spawnSync(python, ['-c', findOnnx], { stdio: 'ignore' }).status === 0;

const folder = mkdtempSync(join(tmpdir(), 'consilium-weights-file-'));
const study = new ApiStudy();
let state: StudyState;
let metadata: Record<string, string>;

beforeAll(async () => {
  const { evaluated } = await study.twoRounds();
  state = evaluated;
  metadata = modelMetadata(evaluated, await study.history().latest());
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a payload is the integers that the digest is over', () => {
  const { bytes } = weightsFile(state, 'payload', {});
  const grid = toGrid(decodePayload(study.layout, bytes), -20);
  expect(grid).toEqual(state.weights);
  expect(weightsDigest(study.layout, -20, grid)).toBe(state.digest);
});

test.each(Object.keys(weightsMediaTypes) as WeightsFormat[])(
  '%s is written with the same bytes again',
  (format) => {
    const file = weightsFile(state, format, metadata);
    expect(weightsFile(structuredClone(state), format, { ...metadata })).toEqual(file);
    expect(file.mediaType).toBe(weightsMediaTypes[format]);
  },
);

test('what a file says about itself tells state, lineage, privacy, figures and limits', () => {
  expect(metadata).toMatchObject({
    state_digest: state.digest,
    study: state.study,
    rounds: '2',
    rounds_with_absent: '[2]',
    privacy_profile: 'off',
    intended_use: 'Research use only: not a medical device.',
  });
  expect(JSON.parse(metadata['contributors'] ?? '')).toMatchObject([
    { name: 'hospital-a', rounds: 2 },
    { name: 'hospital-b', rounds: 1 },
    { name: 'hospital-c', rounds: 1 },
  ]);
  expect(JSON.parse(metadata['evaluations'] ?? '')).toMatchObject([
    { name: 'external', role: 'validator', patients: 10, metrics: [{ low: 0.4 }, {}] },
  ]);
});

describe('onnx', () => {
  const plane = 16 * 16;
  const image = (): Float32Array => {
    const random = seeded('image', 3);
    return Float32Array.from({ length: 3 * plane }, () => random.normal());
  };

  test('gives in onnxruntime what the node’s own model gives', async () => {
    const { bytes } = weightsFile(state, 'onnx', metadata);
    const { InferenceSession, Tensor } = createRequire(import.meta.resolve('@consilium/compute'))(
      'onnxruntime-node',
    );
    const session = await InferenceSession.create(bytes);
    const results = await session.run({ image: new Tensor('float32', image(), [1, 3, 16, 16]) });

    const engine = createOnnxEngine();
    const model = createLesionModel(engine, tinyTask, { readBatch: 1 });
    const layout = networkLayout(tinyTask.network);
    const weights = new Float32Array(layout.length);
    putPart(layout, splitLayout(layout).shared, weights, fromGrid(state.weights, -20));
    const own = await model.read(image(), weights);
    for (const name of ['lung', 'lesion'] as const) {
      const got = results[name].data as Float32Array;
      expect(results[name].dims).toEqual([1, 1, 16, 16]);
      const largest = Math.max(...own[name].map((value, i) => Math.abs(value - (got[i] ?? 9))));
      expect(largest).toBeLessThanOrEqual(1e-5);
    }
    expect(Math.max(...own.lesion) - Math.min(...own.lesion)).toBeGreaterThan(1e-3);
    await session.release();
    await engine.close();
  });

  test.skipIf(!hasOnnx)('passes the checker of onnx, metadata and all (needs python3-onnx)', () => {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, weightsFile(state, 'onnx', metadata).bytes);
    const script = `
import json, onnx, sys
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
shape = lambda value: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
print(json.dumps({
  'inputs': {value.name: shape(value) for value in model.graph.input},
  'outputs': {value.name: shape(value) for value in model.graph.output},
  'metadata': {entry.key: entry.value for entry in model.metadata_props},
}))`;
    const { stdout, stderr } = spawnSync(python, ['-c', script, path], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      inputs: { image: [1, 3, 16, 16] },
      outputs: { lung: [1, 1, 16, 16], lesion: [1, 1, 16, 16] },
      metadata,
    });
  });

  test.each([
    ['a task of another kind', { kind: 'tumour' }],
    ['the task of another network', { ...tinyTask, network: { ...tinyTask.network, slices: 1 } }],
  ])('cannot be had of %s', (_, task) => {
    const manifest = { ...state.manifest, task: task as unknown as typeof state.manifest.task };
    expect(() => weightsFile({ ...state, manifest }, 'onnx', {})).toThrow(
      expect.objectContaining({ code: 'FORMAT_UNAVAILABLE' }),
    );
  });
});
