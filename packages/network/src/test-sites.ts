import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlobStore, type LogStore, openBlobStore, openLogStore } from '@consilium/log';
import { keyFromSeed, logPlaceOf, type SiteKey, signRecord } from '@consilium/records';
import { MemoryLevel } from 'memory-level';
import { onTestFinished } from 'vitest';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { RosterMember } from './member-table.ts';
import {
  createNetwork,
  type Network,
  type NetworkComponents,
  type NetworkInit,
} from './network.ts';

/** A clock that runs as the machine's does. */
export const machineClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Timing for tests: everything that waits for quiet waits little. */
const QUICK: NetworkInit = {
  listen: ['/ip4/127.0.0.1/tcp/0'],
  timing: {
    dialTimeoutMs: 3_000,
    requestTimeoutMs: 3_000,
    idleTimeoutMs: 3_000,
    antiEntropyMs: 60_000,
    tickMs: 50,
    redialBaseMs: 50,
    redialCapMs: 400,
    announceIntervalMs: 20,
    blobRetryBaseMs: 20,
    blobRetryCapMs: 100,
  },
};

/** Says nothing. */
export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {} };

/** One site with its own stores on 127.0.0.1, stopped when the test ends. */
export interface TestSite {
  key: SiteKey;
  log: LogStore;
  blobs: BlobStore;
  folder: string;
  network: Network;
  /** Appends `count` records of this site to its own log. */
  write(count?: number): Promise<void>;
  /** Signs a record without appending it: what a forking site does. */
  sign(index: number, previous: Uint8Array | null, text: string): Uint8Array;
}

/** Sites that know one another; `roster` may be changed by the test. */
export interface TestRoster {
  members: RosterMember[];
}

/** The key of test site number `n`, always the same. */
export function testKey(n: number): SiteKey {
  return keyFromSeed(createHash('sha256').update(`network test site ${n}`).digest());
}

/** Starts site number `n` and puts its address into `roster`. */
export async function startSite(
  n: number,
  roster: TestRoster,
  init: NetworkInit = {},
  replace: Partial<NetworkComponents> = {},
): Promise<TestSite> {
  const key = testKey(n);
  const folder = await mkdtemp(join(tmpdir(), 'consilium-network-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const log = replace.log ?? (await openLogStore(new MemoryLevel(), logPlaceOf));
  const blobs = replace.blobs ?? (await openBlobStore(folder));
  const network = createNetwork(
    {
      key,
      log,
      blobs,
      members: () => roster.members,
      admit: () => {},
      clock: machineClock,
      random: (count) => randomBytes(count),
      logger: silent,
      ...replace,
    },
    {
      listen: init.listen ?? QUICK.listen ?? [],
      timing: { ...QUICK.timing, ...init.timing },
      limits: { ...init.limits },
    },
  );
  onTestFinished(() => network.stop());
  await network.start();
  roster.members = [
    ...roster.members.filter(({ site }) => site !== key.id),
    { site: key.id, addresses: network.addresses() },
  ];
  const sign = (index: number, previous: Uint8Array | null, text: string): Uint8Array =>
    signTestRecord(key, index, previous, text);
  return {
    key,
    log,
    blobs,
    folder,
    network,
    sign,
    write: async (count = 1) => {
      for (let i = 0; i < count; i += 1) {
        const { size, last } = log.head(key.id);
        await log.append(sign(size, last, `record ${size}`));
      }
    },
  };
}

/** A signed record of a kind that only tests know. */
export function signTestRecord(
  key: SiteKey,
  index: number,
  previous: Uint8Array | null,
  text: string,
): Uint8Array {
  return signRecord(key, {
    kind: 'network-test',
    version: 1,
    study: new Uint8Array(32).fill(7),
    author: key.id,
    index,
    previous,
    heads: [],
    known: false,
    body: { text },
  });
}

/** Resolves when `condition` holds, looking every 5 ms. @throws {Error} naming `what` after `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 8_000,
): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) {
      throw new Error(`gave up waiting: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether all sites hold the same logs, byte for byte as far as roots tell. */
export function agree(sites: readonly TestSite[]): boolean {
  const texts = sites.map(({ log }) =>
    log
      .heads()
      .map(({ author, size, root }) => `${author} ${size} ${Buffer.from(root).toString('hex')}`)
      .join('\n'),
  );
  return texts.every((text) => text !== '' && text === texts[0]);
}
