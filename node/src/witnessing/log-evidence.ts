import { formatTlogProof, inclusionProof, LogError, type LogStore } from '@consilium/log';
import type { SiteId } from '@consilium/records';
import { NodeError } from '../error.ts';
import { type CosignedCheckpoint, encodeCosigned } from './cosigned-checkpoint.ts';
import type { Notes } from './open-notes.ts';

interface LogEvidenceComponents extends Pick<Notes, 'book' | 'circle' | 'trees'> {
  /** Record id of the study's manifest. */
  readonly study: Uint8Array;
  readonly log: Pick<LogStore, 'read'>;
}

/** What this site can hand to others about a log that it holds. */
export class LogEvidence {
  readonly #components: LogEvidenceComponents;

  constructor(components: LogEvidenceComponents) {
    this.#components = components;
  }

  /** The note of the newest witnessed checkpoint, in the C2SP format. @throws {NodeError} `NOT_WITNESSED`. */
  checkpoint(site: SiteId): Uint8Array {
    return encodeCosigned(this.#witnessed(site), this.#components.study);
  }

  /** That one, and the newest that too few have cosigned yet; none before the first. */
  async notes(site: SiteId): Promise<Uint8Array[]> {
    const { book, study } = this.#components;
    const [witnessed, newest] = [book.witnessed(site), book.newest(site)];
    return [witnessed, newest?.checkpoint.size === witnessed?.checkpoint.size ? null : newest]
      .filter((kept) => kept !== null)
      .map((kept) => encodeCosigned(kept, study));
  }

  /**
   * A proof, in the C2SP format, that a record is in its author's log under the newest witnessed checkpoint, with the record's envelope as its extra data where
   * that has room.
   *
   * @throws {NodeError} `NOT_WITNESSED`. @throws {LogError} `STORE`.
   */
  async prove(site: SiteId, index: number): Promise<Uint8Array> {
    const { trees, log, study } = this.#components;
    const witnessed = this.#witnessed(site);
    const { size } = witnessed.checkpoint;
    if (!(Number.isSafeInteger(index) && index >= 0 && index < size)) {
      throw notWitnessed(
        `of this log the first ${size} records are witnessed, not record ${index}`,
      );
    }
    const leaves = await trees.leafHashes(site, size);
    const [envelope] = await log.read(site, index, { maxEntries: 1, maxBytes: 1 });
    if (leaves === undefined || envelope === undefined) {
      throw notWitnessed('this log was cut back on disk and is not whole again yet');
    }
    const inclusion = inclusionProof(leaves, index);
    const checkpoint = encodeCosigned(witnessed, study);
    try {
      return formatTlogProof({ extra: envelope, index, inclusion, checkpoint });
    } catch (error) {
      if (!(error instanceof LogError && error.code === 'TLOG_PROOF')) throw error;
      return formatTlogProof({ extra: null, index, inclusion, checkpoint });
    }
  }

  #witnessed(site: SiteId): CosignedCheckpoint {
    const { book, circle } = this.#components;
    const witnessed = book.witnessed(site);
    if (witnessed !== null) return witnessed;
    throw notWitnessed(
      circle.authors().includes(site)
        ? `no checkpoint of the log of ${circle.nameOf(site)} is witnessed yet`
        : `${site} is no site of this study`,
    );
  }
}

function notWitnessed(message: string): NodeError {
  return new NodeError(
    'NOT_WITNESSED',
    message,
    'see `consilium status` for how far each log is witnessed, and which members have to be connected',
  );
}
