import { type Message, TopicValidatorResult } from '@libp2p/gossipsub';
import type { PeerId } from '@libp2p/interface';
import { type Clock, wait } from './clock.ts';
import { isViolation } from './error.ts';
import { ANNOUNCE_TOPIC, type Host } from './host.ts';
import type { MemberTable } from './member-table.ts';
import { decodeSummary, encodeSummary, type Summary } from './summary.ts';

/** What announcing works with. */
export interface AnnouncerComponents {
  host: Host;
  clock: Clock;
  members: MemberTable;
  /** What this site holds now. */
  summary: () => Summary;
  /** Hears a valid announcement: what `author` claims to hold, and the neighbour it came through. */
  onClaims: (claims: Summary, author: string, neighbour: string) => void;
  onViolation: (neighbour: string, error: unknown) => void;
  signal: AbortSignal;
}

/** Sends and hears announcements. */
export interface Announcer {
  /** Announces what this site holds, at most once an interval; resolves when it is on its way. */
  announce(): Promise<void>;
}

/**
 * Joins the topic. An announcement is a summary, signed with the site's key by gossipsub (`StrictSign`), which
 * checks every signature before the validator here runs. It is a hint of where to look and decides
 * nothing: what counts are the records' own signatures, checked when they are pulled.
 *
 * Refused: authors outside the roster, malformed summaries (counted against the neighbour that passed them on,
 * since a member that validates does not), and more than the rate of the neighbour or of the author.
 */
export function createAnnouncer(
  { host, clock, members, summary, onClaims, onViolation, signal }: AnnouncerComponents,
  intervalMs: number,
): Announcer {
  const { pubsub } = host.services;
  let lastMs = Number.NEGATIVE_INFINITY;
  let pending: Promise<void> | undefined;

  const validate = (peer: PeerId, message: Message): TopicValidatorResult => {
    const neighbour = peer.toString();
    const author = message.type === 'signed' ? message.from.toString() : undefined;
    const source = members.get(neighbour);
    const speaker = author === undefined ? undefined : members.get(author);
    if (source === undefined || speaker === undefined) {
      return TopicValidatorResult.Ignore;
    }
    const withinRate =
      source.guard.announcement() && (source === speaker || speaker.guard.announcement());
    if (!withinRate) {
      return TopicValidatorResult.Ignore;
    }
    try {
      onClaims(decodeSummary(message.data), speaker.site, neighbour);
      return TopicValidatorResult.Accept;
    } catch (error) {
      if (!isViolation(error)) {
        throw error;
      }
      onViolation(neighbour, error);
      return TopicValidatorResult.Reject;
    }
  };
  pubsub.topicValidators.set(ANNOUNCE_TOPIC, validate);
  pubsub.subscribe(ANNOUNCE_TOPIC);

  const publish = async (): Promise<void> => {
    try {
      await wait(clock, Math.max(0, lastMs + intervalMs - clock.now()), signal);
    } finally {
      // From here on a new call speaks of a newer state, so it gets its own turn.
      pending = undefined;
    }
    lastMs = clock.now();
    await pubsub.publish(ANNOUNCE_TOPIC, encodeSummary(summary()));
  };
  return {
    announce: () => {
      pending ??= publish();
      return pending;
    },
  };
}
