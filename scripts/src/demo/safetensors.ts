import { readFile } from 'node:fs/promises';
import { type Layout, putPart, splitLayout } from '@consilium/weights';

/** Reads an exported model back into a whole vector of `layout`; the site's own corrections are zero. */
export async function readSafetensors(path: string, layout: Layout): Promise<Float32Array> {
  const bytes = await readFile(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString('utf8')) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  const { shared } = splitLayout(layout);
  const values = new Float32Array(shared.length);
  for (const { name, offset, length } of shared.tensors) {
    const start = 8 + headerLength + (header[name]?.data_offsets[0] ?? Number.NaN);
    for (let i = 0; i < length; i++) values[offset + i] = bytes.readFloatLE(start + 4 * i);
  }
  const whole = new Float32Array(layout.length);
  putPart(layout, shared, whole, values);
  return whole;
}
