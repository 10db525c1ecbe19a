import type { Background } from './background.ts';
import { type Random, uniform } from './backoff.ts';
import { type Clock, wait } from './clock.ts';
import { dialIfDue } from './dialer.ts';
import type { GossipWatchdog } from './gossip-watchdog.ts';
import type { Host } from './host.ts';
import type { NetworkTiming } from './limits.ts';
import type { Logger } from './logger.ts';
import type { MemberLinks } from './member-links.ts';
import type { MemberTable } from './member-table.ts';
import type { SyncDriver } from './sync-driver.ts';

/** What upkeep works with. */
export interface UpkeepComponents {
  host: Host;
  clock: Clock;
  random: Random;
  logger: Logger;
  members: MemberTable;
  links: MemberLinks;
  driver: SyncDriver;
  watchdog: GossipWatchdog;
  background: Background;
  signal: AbortSignal;
}

/** What a network does again and again. */
export interface Upkeep {
  /** Reads the roster, and cuts those who have left it. */
  applyRoster(): void;
  /** One round: roster, dials, gossip, and anti-entropy when it is due. */
  tick(): void;
  /** Rounds until the signal aborts. */
  loop(): Promise<void>;
}

/** Upkeep by `timing`; the first anti-entropy is due half to one and a half periods from now. */
export function createUpkeep(components: UpkeepComponents, timing: NetworkTiming): Upkeep {
  const { clock, random, logger, members, links, driver, watchdog, background, signal } =
    components;
  const nextAntiEntropyMs = (): number =>
    clock.now() + timing.antiEntropyMs * (0.5 + uniform(random));
  let antiEntropyDueMs = nextAntiEntropyMs();

  const applyRoster = (): void => {
    for (const site of members.refresh()) {
      logger.info({ site }, 'no longer a member');
      links.cut(site, 'no longer a member');
    }
  };
  const dialMissing = (): void => {
    for (const member of members.all()) {
      if (!links.isConnected(member.site) && members.admits(member.site)) {
        background.run('dialling', dialIfDue({ ...components, timing }, member));
      }
    }
  };
  const tick = (): void => {
    applyRoster();
    dialMissing();
    watchdog.check();
    if (clock.now() >= antiEntropyDueMs) {
      antiEntropyDueMs = nextAntiEntropyMs();
      for (const { site } of links.connected()) {
        background.run('anti-entropy', driver.request(site));
      }
    }
  };
  return {
    applyRoster,
    tick,
    loop: async () => {
      while (!signal.aborted) {
        tick();
        await wait(clock, timing.tickMs, signal);
      }
    },
  };
}
