import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { bytesOf, inMemory } from './archive-fixture.ts';
import { AuditStudy } from './audit-fixture.ts';
import { openBundleFile } from './bundle-file.ts';
import { type BundleParts, outlineBundle, type PlannedBundle } from './plan-bundle.ts';
import { verifyBundle } from './verify-bundle.ts';
import { bundleBytes, resumePoint } from './write-bundle.ts';

let parts: BundleParts;
let planned: PlannedBundle;
let whole: Uint8Array;

beforeAll(async () => {
  parts = (await new AuditStudy({ seed: 'write', patients: [20, 30], rounds: 2 }).run()).parts();
  planned = await plan(parts);
  whole = await bytesOf(planned);
});

async function plan(from: BundleParts): Promise<PlannedBundle> {
  return (await outlineBundle(from, { payloads: true })).plan();
}

test('its size is known beforehand, from the records alone', async () => {
  const outline = await outlineBundle(parts, { payloads: true });
  expect(outline).toMatchObject({ bytes: whole.length, updates: 4, missing: [] });
  expect(planned.bytes).toBe(whole.length);
});

test('equal parts give equal bytes, in whatever order they come', async () => {
  const turned: BundleParts = {
    ...parts,
    logs: new Map([...parts.logs].reverse()),
    notes: [...parts.notes].reverse(),
  };
  expect(await bytesOf(await plan(turned))).toEqual(whole);
});

test('without payloads it holds everything else', async () => {
  const outline = await outlineBundle(parts, { payloads: false });
  const { files } = await outline.plan();
  const names = planned.files.map(({ name }) => name).filter((name) => !name.startsWith('payl'));
  expect(files.map(({ name }) => name)).toEqual(names);
});

test('tar and sha256sum agree with its index (needs GNU tar)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-bundle-'));
  try {
    writeFileSync(join(folder, 'bundle.tar'), whole);
    execFileSync('tar', ['-xf', 'bundle.tar'], { cwd: folder });
    for (const { name, bytes, sha256 } of planned.index.files) {
      const content = readFileSync(join(folder, name));
      expect(content.length).toBe(bytes);
      expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a file on disk is read as bytes in memory are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-bundle-'));
  try {
    writeFileSync(join(folder, 'bundle.tar'), whole);
    await using file = await openBundleFile(join(folder, 'bundle.tar'));
    expect(await verifyBundle(file)).toEqual(await verifyBundle(inMemory(whole)));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('whatever was cut off, writing goes on behind the last whole file and gives the same bytes', async () => {
  for (let length = 0; length <= whole.length; length += 97) {
    const point = await resumePoint(planned, inMemory(whole.slice(0, length)));
    const kept = whole.slice(0, point?.offset ?? 0);
    expect(kept.length).toBeLessThanOrEqual(length);
    const pieces: Uint8Array[] = [kept];
    for await (const piece of bundleBytes(planned, point)) pieces.push(piece);
    expect(Buffer.compare(Buffer.concat(pieces), whole)).toBe(0);
  }
});

test('what a power cut left undone is not taken for written', async () => {
  const torn = whole.slice();
  const at = 3 * (whole.length >> 2);
  torn.fill(0xff, at);
  const point = await resumePoint(planned, inMemory(torn));
  expect(point?.offset).toBeLessThanOrEqual(at);
  expect(point?.offset).toBeGreaterThan(at - 2_048);
  const other = await plan({ ...parts, notes: [] });
  expect(await resumePoint(other, inMemory(whole))).toBeNull();
});

test('payloads that are not here are told beforehand, and the shown state is without them', async () => {
  const [digest] = planned.files.flatMap(({ name }) => /[0-9a-f]{64}/.exec(name)?.[0] ?? []);
  const blobs: BundleParts['blobs'] = {
    get: async (wanted) => (wanted === digest ? undefined : parts.blobs.get(wanted)),
    size: async (wanted) => (wanted === digest ? undefined : parts.blobs.size(wanted)),
  };
  const outline = await outlineBundle({ ...parts, blobs }, { payloads: true });
  expect(outline.missing).toEqual([digest]);
  const { verdicts } = await verifyBundle(inMemory(await bytesOf(await outline.plan())));
  const codes = verdicts.flatMap(({ findings }) => findings.map(({ code }) => code));
  expect(codes).toContain('PAYLOAD_MISSING');
  expect(codes).not.toContain('WRONG_WEIGHTS');
});

test('writing stops where it is told to', async () => {
  const stop = AbortSignal.abort(new Error('stopped'));
  const outline = await outlineBundle(parts, { payloads: true });
  await expect(outline.plan({ signal: stop })).rejects.toThrow('stopped');
  await expect(verifyBundle(inMemory(whole), {}, { signal: stop })).rejects.toThrow('stopped');
});
