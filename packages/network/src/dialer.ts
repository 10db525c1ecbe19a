import { backoffMs, type Random } from './backoff.ts';
import { type Clock, deadline } from './clock.ts';
import { asError } from './exchange.ts';
import type { Host } from './host.ts';
import type { NetworkTiming } from './limits.ts';
import { errorFields, type Logger } from './logger.ts';
import type { Member } from './member-table.ts';

/** What the dialer works with. */
export interface DialerComponents {
  host: Host;
  clock: Clock;
  random: Random;
  logger: Logger;
  timing: NetworkTiming;
  signal: AbortSignal;
}

/**
 * Dials a member that is due, one address after the other, until one answers. A failure sets the next date
 * with a doubled, jittered pause; a success sets the pause back. Never rejects; does nothing while a dial is running,
 * before the date, or without an address.
 */
export async function dialIfDue(components: DialerComponents, member: Member): Promise<void> {
  const { clock, random, timing, logger, signal } = components;
  const { dial, site } = member;
  if (dial.running || clock.now() < dial.dueMs || member.addresses.length === 0) {
    return;
  }
  dial.running = true;
  try {
    await dialAny(components, member);
    dial.attempt = 0;
    logger.info({ site }, 'connected');
  } catch (error) {
    if (!signal.aborted) {
      member.lastError = asError(error).message;
      logger.debug({ site, attempt: dial.attempt, ...errorFields(error) }, 'dial failed');
    }
    dial.attempt += 1;
  } finally {
    dial.dueMs =
      clock.now() +
      backoffMs(random, dial.attempt, { baseMs: timing.redialBaseMs, capMs: timing.redialCapMs });
    dial.running = false;
  }
}

async function dialAny(components: DialerComponents, member: Member): Promise<void> {
  const { host, clock, timing, signal } = components;
  const failures: unknown[] = [];
  for (const address of member.addresses) {
    using limit = deadline(clock, timing.dialTimeoutMs, `dialling ${member.site}`, signal);
    try {
      await host.dial(address, { signal: limit.signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  }
  throw failures.at(-1);
}
