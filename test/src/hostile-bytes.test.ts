import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LogError, type LogStore, openBlobStore, openLogStore } from '@consilium/log';
import { createNetwork, type Network, type NetworkComponents } from '@consilium/network';
import {
  HOSTILE_BLOB_BYTES,
  mutate,
  seededDraw,
  startHostileMember,
} from '@consilium/network/hostile-member';
import { keyFromSeed, logPlaceOf, type SiteKey, signRecord } from '@consilium/records';
import { createLayout, decodePayload, encodePayload, WeightsError } from '@consilium/weights';
import { MemoryLevel } from 'memory-level';
import { expect, onTestFinished, test } from 'vitest';

// Together at least 100,000, against one running site. Connections cost most, so they get the smaller share.
const RECORDS = 62_000;
const PAYLOADS = 30_000;
const REQUESTS = 5_000;
const GOSSIP = 5_000;
const PULLS = 500;

const MEBIBYTE = 2 ** 20;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes that are really held, after garbage collection. */
function heldBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

function key(name: string): SiteKey {
  return keyFromSeed(createHash('sha256').update(name).digest());
}

function record(author: SiteKey, index: number, previous: Uint8Array | null): Uint8Array {
  return signRecord(author, {
    kind: 'update',
    version: 1,
    study: new Uint8Array(32).fill(1),
    author: author.id,
    index,
    previous,
    heads: [],
    known: true,
    body: {
      round: index + 1,
      base: new Uint8Array(32).fill(2),
      payload: { digest: new Uint8Array(32).fill(3), bytes: 100 },
      steps: 10,
      privacy: { profile: 'off' },
    },
  });
}

const clock: NetworkComponents['clock'] = {
  now: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

interface RunningSite {
  key: SiteKey;
  log: LogStore;
  network: Network;
}

async function startVictim(members: readonly SiteKey[]): Promise<RunningSite> {
  const own = key('victim');
  const folder = await mkdtemp(join(tmpdir(), 'consilium-hostile-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const log = await openLogStore(new MemoryLevel(), logPlaceOf);
  const most = { perSecond: 1e12, burst: 1e12 };
  const network = createNetwork(
    {
      key: own,
      log,
      blobs: await openBlobStore(folder),
      members: () => members.map(({ id }) => ({ site: id, addresses: [] })),
      admit: () => {},
      clock,
      random: (count) => randomBytes(count),
      logger: { debug: () => {}, info: () => {}, warn: () => {} },
    },
    {
      listen: ['/ip4/127.0.0.1/tcp/0'],
      // By default the attacker is cut after twenty messages: here every one is to be looked at.
      limits: {
        requestRate: most,
        byteRate: most,
        violationRate: most,
        announcementRate: most,
        gossipByteRate: most,
        inboundStreams: 64,
      },
      timing: { blobRounds: 1 },
    },
  );
  onTestFinished(() => network.stop());
  await network.start();
  return { key: own, log, network };
}

async function attackRecords(
  { log }: RunningSite,
  author: SiteKey,
  count: number,
): Promise<number> {
  const draw = seededDraw(11);
  const { size, last } = log.head(author.id);
  // What the author would say next: a changed bit is all that keeps it out.
  const next = record(author, size, last);
  for (let i = 0; i < count; i += 1) {
    const outcome = await log.append(mutate(next, draw)).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(LogError);
  }
  return count;
}

function attackPayloads(count: number): number {
  const draw = seededDraw(12);
  const layout = createLayout([{ name: 'shared', shape: [40, 3] }]);
  const payload = encodePayload({
    layout,
    bits: 16,
    exponents: Int8Array.of(-8),
    values: Int32Array.from({ length: 120 }, (_, i) => i - 60),
  });
  for (let i = 0; i < count; i += 1) {
    const mutated = new Uint8Array(mutate(payload, draw));
    try {
      // Changed values may still be a payload: then it has the layout's size, and its digest is another one.
      expect(decodePayload(layout, mutated).values.length).toBe(layout.length);
    } catch (error) {
      expect(error).toBeInstanceOf(WeightsError);
    }
  }
  return count;
}

async function attackPulls(
  { network }: RunningSite,
  count: number,
  sent: () => number,
): Promise<number> {
  const before = sent();
  for (let i = 0; i < count; i += 1) {
    await network.sync();
    const outcome = await network
      .fetchBlob(randomBytes(32).toString('hex'), HOSTILE_BLOB_BYTES)
      .catch((error: unknown) => error);
    expect(outcome).toMatchObject({ code: 'BLOB_UNAVAILABLE' });
  }
  return sent() - before;
}

test('100,000 mutated records, payloads, frames, chunks and announcements: no crash, no growth, no change of state', async () => {
  const escaped: unknown[] = [];
  const onEscaped = (error: unknown): void => {
    escaped.push(error);
  };
  process.on('unhandledRejection', onEscaped);
  onTestFinished(() => {
    process.off('unhandledRejection', onEscaped);
  });
  const attacker = key('attacker');
  const victim = await startVictim([attacker]);
  for (let i = 0; i < 3; i += 1) {
    await victim.log.append(record(victim.key, i, victim.log.head(victim.key.id).last));
  }
  const first = record(attacker, 0, null);
  await victim.log.append(first);
  const digest = new Uint8Array(32).fill(5);
  const hostile = await startHostileMember({
    key: attacker,
    seed: 13,
    clock,
    // Signed well, but after a gap: nothing that is made of them may be stored.
    entries: [7, 8, 9].map((index) => record(attacker, index, digest)),
    claims: { heads: [{ author: attacker.id, size: 10, root: digest, last: digest }], forks: [] },
  });
  onTestFinished(() => hostile.stop());
  await hostile.connect(victim.network.addresses()[0] ?? '');
  await hostile.attackRequests(300);
  await attackRecords(victim, attacker, 500);

  const stateBefore = [victim.log.heads(), await victim.log.forks()];
  const heldBefore = heldBytes();
  const table: Record<string, { messages: number; seconds: number; heldMiB: number }> = {};
  const measure = async (name: string, attack: () => Promise<number> | number): Promise<void> => {
    const beganMs = performance.now();
    const messages = await attack();
    const seconds = (performance.now() - beganMs) / 1000;
    table[name] = { messages, seconds, heldMiB: (heldBytes() - heldBefore) / MEBIBYTE };
    expect(table[name].heldMiB).toBeLessThan(48);
  };
  const counted = async (attack: Promise<void>): Promise<number> => {
    const before = hostile.sent();
    await attack;
    return hostile.sent() - before;
  };
  await measure('records', () => attackRecords(victim, attacker, RECORDS));
  await measure('payloads', () => attackPayloads(PAYLOADS));
  await measure('requests', () => counted(hostile.attackRequests(REQUESTS)));
  await measure('gossip', () => counted(hostile.attackGossip(GOSSIP / 2)));
  await measure('pulled answers', () => attackPulls(victim, PULLS, hostile.sent));
  process.stdout.write(`${JSON.stringify(table)}\n`);

  const total = Object.values(table).reduce((sum, { messages }) => sum + messages, 0);
  expect(total).toBeGreaterThanOrEqual(100_000);
  expect([victim.log.heads(), await victim.log.forks()]).toEqual(stateBefore);
  expect(escaped).toEqual([]);
  // It still does its work.
  const result = await victim.log.append(record(attacker, 1, logPlaceOf(first).id));
  expect(result.status).toBe('appended');
}, 300_000);
