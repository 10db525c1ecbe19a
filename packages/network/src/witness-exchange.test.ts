import type { CosignRequest } from '@consilium/log';
import { expect, test } from 'vitest';
import { startHostileMember } from './hostile-member.ts';
import type { NetworkLimits } from './limits.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { manualClock } from './manual-clock.ts';
import type { NetworkInit } from './network.ts';
import { createPeerGuard } from './peer-guard.ts';
import {
  machineClock,
  startSite,
  type TestRoster,
  type TestSite,
  testKey,
  until,
} from './test-sites.ts';
import { witnessAnswers } from './witness-answers.ts';
import { encodeWitnessRequest, type NoteClaim } from './witness-message.ts';
import { noWitnessing, type Witnessing } from './witnessing.ts';

const root = new Uint8Array(32).fill(4);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const request: CosignRequest = { oldSize: 3, proof: [root], checkpoint: text('a checkpoint') };

/** A site that holds notes as they come, and cosigns everything. */
function credulous(): Witnessing & {
  readonly held: Map<string, Uint8Array>;
  readonly asked: unknown[];
} {
  const held = new Map<string, Uint8Array>();
  const asked: unknown[] = [];
  return {
    held,
    asked,
    cosign: async (site, asking) => {
      asked.push([site, asking]);
      return { type: 'cosigned', line: text('a line') };
    },
    claims: () =>
      [...held.keys()]
        .map((key) => {
          const [author = '', size = ''] = key.split(' ');
          return { author, size: Number(size), root, cosigned: 2, cosigners: root };
        })
        .sort((x, y) => x.size - y.size),
    note: async (author, size) => held.get(`${author} ${size}`),
    wants: async ({ author, size }) => !held.has(`${author} ${size}`),
    take: async (_site, { author, size }, note) => {
      if (!new TextDecoder().decode(note).startsWith('note')) return false;
      held.set(`${author} ${size}`, note);
      return true;
    },
  };
}

const start = (
  n: number,
  roster: TestRoster,
  witnessing: Witnessing,
  init: NetworkInit = {},
): Promise<TestSite> => startSite(n, roster, init, { witnessing });

test('a member asks another to cosign, and gets its answer', async () => {
  const roster: TestRoster = { members: [] };
  const witnessing = credulous();
  const a = await start(1, roster, noWitnessing);
  const b = await start(2, roster, witnessing);
  await until('connected', () => a.network.peers()[0]?.connected === true);
  expect(await a.network.cosign(b.key.id, request)).toEqual({
    type: 'cosigned',
    line: text('a line'),
  });
  expect(witnessing.asked).toEqual([[a.key.id, request]]);
  expect(await b.network.cosign(a.key.id, request)).toEqual({
    type: 'refused',
    code: 'unknown-log',
  });
  await expect(a.network.cosign(testKey(9).id, request)).rejects.toMatchObject({
    code: 'NOT_CONNECTED',
  });
});

test('notes travel through a member when whoever had them first is gone', async () => {
  const roster: TestRoster = { members: [] };
  const first = credulous();
  first.held.set(`${testKey(7).id} 12`, text('note of seven'));
  first.held.set(`${testKey(7).id} 9`, text('note of seven, shorter'));
  const a = await start(1, roster, first);
  const second = credulous();
  await start(2, roster, second);
  await until('the second has both', () => second.held.size === 2);
  await a.network.stop();
  const third = credulous();
  await start(3, roster, third);
  await until('the third has both', () => third.held.size === 2);
  expect(third.held).toEqual(first.held);
});

test('a note that is not what was claimed counts against whoever handed it out, and no sync ends well', async () => {
  const roster: TestRoster = { members: [] };
  const liar = credulous();
  liar.held.set(`${testKey(7).id} 12`, text('nothing that was claimed'));
  const a = await start(1, roster, credulous());
  await start(2, roster, liar);
  await until(
    'it was noticed',
    () => a.network.peers()[0]?.lastError?.includes('claimed') === true,
  );
  expect(await a.network.sync()).toEqual({ peers: 1, failed: 1 });
});

test('a member above its rate waits before the witness is asked', async () => {
  const clock = manualClock();
  const limits = { ...DEFAULT_LIMITS, cosignRate: { perSecond: 2, burst: 3 } };
  const guard = createPeerGuard(clock, limits);
  const witnessing = credulous();
  const answers = witnessAnswers(witnessing, 'a', guard, new AbortController().signal);
  const frame = encodeWitnessRequest({ type: 'cosign', request });
  async function* frames(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let i = 0; i < 5; i += 1) yield frame;
  }
  const answering = (async () => {
    let count = 0;
    for await (const _ of answers(frames())) count += 1;
    return count;
  })();
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await settled();
  expect(witnessing.asked).toHaveLength(3);
  clock.advance(499);
  await settled();
  expect(witnessing.asked).toHaveLength(3);
  clock.advance(1);
  await settled();
  expect(witnessing.asked).toHaveLength(4);
  clock.advance(500);
  expect(await answering).toBe(5);
});

/** So that every message is looked at: with the defaults a hostile member is banned after twenty. */
const PATIENT: Partial<NetworkLimits> = {
  requestRate: { perSecond: 1e9, burst: 1e9 },
  cosignRate: { perSecond: 1e9, burst: 1e9 },
  violationRate: { perSecond: 1e9, burst: 1e9 },
  inboundStreams: 64,
};

test('mutated requests and notes reach neither witness nor store, and the site goes on', async () => {
  const key = testKey(66);
  const roster: TestRoster = { members: [{ site: key.id, addresses: [] }] };
  const offered: [NoteClaim, Uint8Array][] = [];
  const asked: CosignRequest[] = [];
  const witnessing: Witnessing = {
    ...noWitnessing,
    cosign: async (_site, asking) => {
      asked.push(asking);
      return { type: 'conflict', size: 5 };
    },
    wants: async () => true,
    take: async (_site, claim, note) => {
      offered.push([claim, note]);
      return false;
    },
  };
  const a = await start(1, roster, witnessing, { limits: PATIENT, timing: { blobRounds: 1 } });
  const hostile = await startHostileMember({
    key,
    seed: 3,
    clock: machineClock,
    entries: [],
    claims: { heads: [], forks: [] },
  });
  try {
    await hostile.connect(a.network.addresses()[0] ?? '');
    await hostile.attackRequests(900);
    for (let i = 0; i < 80; i += 1) expect(await a.network.sync()).toMatchObject({ failed: 1 });
    for (let i = 0; i < 40; i += 1) {
      // Whatever it answers is no answer to that question.
      await expect(a.network.cosign(key.id, request)).rejects.toMatchObject({
        name: 'NetworkError',
      });
    }
  } finally {
    await hostile.stop();
  }
  // What got through is what the limits say, and some did get through: the attack was not stopped at the door.
  expect(asked.length).toBeGreaterThan(5);
  for (const { oldSize, proof, checkpoint } of asked) {
    expect(oldSize).toBeLessThanOrEqual(2 ** 32);
    expect(proof.length).toBeLessThanOrEqual(63);
    expect(proof.every(({ length }) => length === 32)).toBe(true);
    expect(checkpoint.length).toBeLessThanOrEqual(1_024);
  }
  expect(offered.length).toBeGreaterThan(5);
  const witness = await start(2, roster, credulous());
  await until('a friend is there', () =>
    a.network.peers().some(({ site, connected }) => site === witness.key.id && connected),
  );
  expect(await a.network.cosign(witness.key.id, request)).toMatchObject({ type: 'cosigned' });
}, 60_000);
