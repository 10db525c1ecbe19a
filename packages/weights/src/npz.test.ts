import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createLayout } from './layout.ts';
import { toNpz } from './npz.ts';
import { toSafetensors } from './safetensors.ts';

// A second implementation, of other authors, for both formats that NumPy can read: Debian's python3-numpy.
const python = '/usr/bin/python3';
const findNumpy = "import importlib.util, sys; sys.exit(importlib.util.find_spec('numpy') is None)";
const hasNumpy = spawnSync(python, ['-c', findNumpy], { stdio: 'ignore' }).status === 0;

const folder = mkdtempSync(join(tmpdir(), 'consilium-npz-'));
afterAll(() => rmSync(folder, { recursive: true }));

const layout = createLayout([
  { name: 'down0/b/weight', shape: [2, 3, 1] },
  { name: 'head.bias', shape: [5] },
  { name: 'scalar', shape: [] },
]);
// Values that a wrong order, a wrong width or a wrong sign would not leave as they are; the last is the smallest subnormal.
const vector = Float32Array.of(0.1, -2, 3e-7, 4, -5, 6, 1.5, -0, 2 ** 24 + 2, -7e30, 9, 2 ** -149);
const metadata = { study_name: 'Lunge „größer“ \\ "x"', heads: '[{"size":3}]' };

test.skipIf(!hasNumpy)('NumPy reads every tensor back, bit for bit (needs python3-numpy)', () => {
  const path = join(folder, 'model.npz');
  writeFileSync(path, toNpz(layout, vector, metadata));
  const script = `
import json, numpy, sys, zipfile
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
archive = numpy.load(sys.argv[1], allow_pickle=False)
names = [name for name in archive.files if name != 'metadata.json']
print(json.dumps({
  'tensors': [[name, list(archive[name].shape), str(archive[name].dtype), archive[name].tobytes().hex()] for name in names],
  'metadata': json.loads(archive['metadata.json']),
}))`;
  const { stdout, stderr } = spawnSync(python, ['-c', script, path], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const read = JSON.parse(stdout) as { tensors: [string, number[], string, string][] };
  expect(read).toEqual({
    tensors: layout.tensors.map(({ name, shape, offset, length }) => [
      name,
      [...shape],
      'float32',
      Buffer.from(vector.slice(offset, offset + length).buffer).toString('hex'),
    ]),
    metadata,
  });
});

test.skipIf(!hasNumpy)(
  'NumPy finds a safetensors file’s tensors where its header says (needs python3-numpy)',
  () => {
    const path = join(folder, 'model.safetensors');
    writeFileSync(path, toSafetensors(layout, vector, metadata));
    const script = `
import json, numpy, sys
data = open(sys.argv[1], 'rb').read()
size = int.from_bytes(data[:8], 'little')
header = json.loads(data[8:8 + size])
told = header.pop('__metadata__')
tensors = []
for name, entry in header.items():
  start, end = entry['data_offsets']
  assert entry['dtype'] == 'F32'
  values = numpy.frombuffer(data[8 + size + start:8 + size + end], '<f4').reshape(entry['shape'])
  tensors.append([name, list(values.shape), values.tobytes().hex()])
print(json.dumps({'tensors': tensors, 'metadata': told}))`;
    const { stdout, stderr } = spawnSync(python, ['-c', script, path], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      tensors: layout.tensors.map(({ name, shape, offset, length }) => [
        name,
        [...shape],
        Buffer.from(vector.slice(offset, offset + length).buffer).toString('hex'),
      ]),
      metadata,
    });
  },
);

test('writes the same bytes for the same weights, and others for others', () => {
  const bytes = toNpz(layout, vector, metadata);
  expect(toNpz(layout, vector.slice(), { ...metadata })).toEqual(bytes);
  const changed = vector.slice();
  changed[7] = 0; // was -0
  expect(toNpz(layout, changed, metadata)).not.toEqual(bytes);
});

test('refuses a vector of another length', () => {
  expect(() => toNpz(layout, vector.slice(1))).toThrow(
    expect.objectContaining({ code: 'LAYOUT_MISMATCH' }),
  );
});
