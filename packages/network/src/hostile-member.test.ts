import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOSTILE_BLOB_BYTES, startHostileMember } from './hostile-member.ts';
import type { NetworkLimits } from './limits.ts';
import {
  machineClock,
  signTestRecord,
  startSite,
  type TestRoster,
  type TestSite,
  testKey,
  until,
} from './test-sites.ts';

const escaped: unknown[] = [];
const onEscaped = (error: unknown): void => {
  escaped.push(error);
};
beforeAll(() => process.on('unhandledRejection', onEscaped));
afterAll(() => {
  process.off('unhandledRejection', onEscaped);
  expect(escaped).toEqual([]);
});

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

/** So that every message is looked at: with the defaults a hostile member is banned after twenty. */
const PATIENT: Partial<NetworkLimits> = {
  requestRate: { perSecond: 1e9, burst: 1e9 },
  violationRate: { perSecond: 1e9, burst: 1e9 },
  announcementRate: { perSecond: 1e9, burst: 1e9 },
  inboundStreams: 64,
  gossipByteRate: { perSecond: 1e12, burst: 1e12 },
};

const hostileKey = testKey(66);

function hostileInit(seed: number): Parameters<typeof startHostileMember>[0] {
  // Signed well, but at places that leave a gap: nothing made of them may be stored.
  const entries = Array.from({ length: 4 }, (_, i) =>
    signTestRecord(hostileKey, 10 + i, new Uint8Array(32).fill(i), `entry ${i}`),
  );
  const digest = new Uint8Array(32).fill(3);
  const claims = {
    heads: [{ author: hostileKey.id, size: 14, root: digest, last: digest }],
    forks: [],
  };
  return { key: hostileKey, seed, clock: machineClock, entries, claims };
}

async function state(site: TestSite): Promise<unknown> {
  return { heads: site.log.heads(), forks: await site.log.forks(), repairs: site.log.repairs };
}

test('a member that sends thousands of mutated messages changes nothing and costs no memory', async () => {
  const roster: TestRoster = { members: [{ site: hostileKey.id, addresses: [] }] };
  const a = await startSite(1, roster, { limits: PATIENT, timing: { blobRounds: 1 } });
  const b = await startSite(2, roster);
  await a.write(3);
  await until('b follows', () => b.log.head(a.key.id).size === 3);
  const hostile = await startHostileMember(hostileInit(1));
  try {
    await hostile.connect(a.network.addresses()[0] ?? '');
    // Warm: code, caches and buffers are there before the memory is measured.
    await hostile.attackRequests(200);
    const before = await state(a);
    const heapBefore = heapBytes();
    await hostile.attackRequests(1200);
    await hostile.attackGossip(400);
    for (let i = 0; i < 120; i += 1) {
      await a.network.sync();
      const digest = randomBytes(32).toString('hex');
      await expect(a.network.fetchBlob(digest, HOSTILE_BLOB_BYTES)).rejects.toThrow(
        expect.objectContaining({ code: 'BLOB_UNAVAILABLE' }),
      );
    }
    expect(hostile.sent()).toBeGreaterThan(2000);
    expect(heapBytes() - heapBefore).toBeLessThan(32 * 2 ** 20);
    expect(await state(a)).toEqual(before);
  } finally {
    await hostile.stop();
  }
  await a.write();
  await until('b still follows', () => b.log.head(a.key.id).size === 4);
}, 60_000);

test('with the default limits a hostile member is banned and cut', async () => {
  const roster: TestRoster = { members: [{ site: hostileKey.id, addresses: [] }] };
  const a = await startSite(1, roster);
  const hostile = await startHostileMember(hostileInit(2));
  try {
    await hostile.connect(a.network.addresses()[0] ?? '');
    await expect(hostile.attackRequests(500, 1)).rejects.toThrow();
    expect(a.network.peers()).toMatchObject([{ banned: true, connected: false }]);
    expect(hostile.sent()).toBeLessThan(100);
  } finally {
    await hostile.stop();
  }
});
