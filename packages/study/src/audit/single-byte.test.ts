import { beforeAll, expect, test } from 'vitest';
import { archive, inMemory } from './archive-fixture.ts';
import { AuditStudy } from './audit-fixture.ts';
import { seeded } from './study-manifest-fixture.ts';
import { verifyBundle } from './verify-bundle.ts';

let whole: Uint8Array;

beforeAll(async () => {
  const init = { seed: 'bytes', patients: [20, 30], rounds: 1, coordinates: 20 };
  whole = await archive((await new AuditStudy(init).run()).parts());
  expect((await verifyBundle(inMemory(whole))).isSound).toBe(true);
});

/** Whether a change of the bundle is noticed: by a refusal to read it, or by a finding. */
async function isNoticed(bytes: Uint8Array): Promise<boolean> {
  try {
    return !(await verifyBundle(inMemory(bytes))).isSound;
  } catch (error) {
    expect(error).toMatchObject({ name: 'StudyError', code: /^BUNDLE_/ });
    return true;
  }
}

test('any change of a single byte is noticed, wherever it is', async () => {
  const random = new DataView(seeded('single bytes')(8 * 1_200).buffer);
  const unnoticed: number[] = [];
  for (let i = 0; i < 1_200; i++) {
    // A third of them in the index, which nothing has the hash of.
    const reach = i % 3 === 0 ? 4_096 : whole.length;
    const at = random.getUint32(8 * i) % reach;
    const changed = whole.slice();
    changed[at] = (changed[at] ?? 0) ^ (1 + (random.getUint32(8 * i + 4) % 255));
    if (!(await isNoticed(changed))) unnoticed.push(at);
  }
  expect(unnoticed).toEqual([]);
}, 60_000);

test.each([1, 511, 512, 1_024, 5_000])('%i bytes cut off its end are noticed', async (bytes) => {
  expect(await isNoticed(whole.slice(0, -bytes))).toBe(true);
});

test.each([1, 512, 10_240])('%i zeros behind its end are noticed', async (bytes) => {
  expect(await isNoticed(new Uint8Array(Buffer.concat([whole, new Uint8Array(bytes)])))).toBe(true);
});

test('an empty file is no bundle', async () => {
  await expect(verifyBundle(inMemory(new Uint8Array()))).rejects.toMatchObject({
    code: 'BUNDLE_DAMAGED',
  });
});
