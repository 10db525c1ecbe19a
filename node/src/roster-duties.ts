import { consentToRotation, type SiteKey } from '@consilium/records';
import type { MemberState, StudyFold, StudyState } from '@consilium/study';
import type { Author } from './author.ts';
import type { Logger } from './logger.ts';
import type { Outbox } from './outbox.ts';

interface RosterDutiesComponents {
  readonly key: SiteKey;
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly author: Author;
  readonly logger: Logger;
  readonly outbox: Pick<Outbox, 'say'> | null;
  readonly nextKey: SiteKey | null;
}

/** What a site says about the roster, apart from its rounds. */
export class RosterDuties {
  readonly #components: RosterDutiesComponents;
  /** Ids of changes that this site has repeated. */
  readonly #repeated = new Set<string>();
  #hasHandedOn = false;

  constructor(components: RosterDutiesComponents) {
    this.#components = components;
  }

  /** Repeats every change that applies in this site's own log, so that no single log that breaks takes one back. */
  async repeatChanges({ changes, heads }: StudyState, self: MemberState): Promise<void> {
    if (!self.isHeard) return;
    for (const { id, body, carriedBy } of changes) {
      if (this.#repeated.has(id) || self.keys.some((key) => carriedBy.includes(key))) continue;
      await this.#components.author.say({ kind: 'roster-change', body }, heads);
      this.#repeated.add(id);
    }
  }

  /** Hands on to the next key, where the operator wants it. Whether it did: then this key must say nothing more. */
  async handOn({ heads }: StudyState, { isHeard }: MemberState): Promise<boolean> {
    const { key, study, author, nextKey, logger } = this.#components;
    if (nextKey === null || !isHeard || this.#hasHandedOn) return false;
    this.#hasHandedOn = true;
    const to = nextKey.id;
    await author.say((index) => {
      const body = consentToRotation(nextKey, { study, from: key.id, index, to });
      return { kind: 'rotation', body };
    }, heads);
    logger.info({ to }, 'this key has said its last word: the next one speaks from here on');
    return true;
  }

  /** Says what the operator has laid out. */
  async sayLaidOut(fold: StudyFold, { heads }: StudyState): Promise<void> {
    await this.#components.outbox?.say(this.#components.author, fold, heads);
  }
}
