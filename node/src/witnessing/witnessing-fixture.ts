import { createHash, randomBytes } from 'node:crypto';
import {
  type LogStore,
  merkleRoot,
  type NoteStore,
  openLogStore,
  openNoteStore,
  openWitnessStore,
  signCheckpoint,
  type VerifiedCheckpoint,
  type WitnessStore,
} from '@consilium/log';
import type { CosignReply, Network, Witnessing } from '@consilium/network';
import {
  keyFromSeed,
  logPlaceOf,
  openRecord,
  type SiteId,
  type SiteKey,
  sign,
  signRecord,
} from '@consilium/records';
import { logKeyOf } from '@consilium/study';
import { MemoryLevel } from 'memory-level';
import { systemClock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { OwnLog, type OwnLogInit } from '../own-log.ts';
import { openWitnessing, type SiteWitnessing } from './witnessing.ts';

/** Record id of the manifest of the study in these tests. */
export const study: Uint8Array = new Uint8Array(createHash('sha256').update('a study').digest());

export function testKey(n: number): SiteKey {
  return keyFromSeed(createHash('sha256').update(`witnessing site ${n}`).digest());
}

/** A record that says `text`. */
export function say(
  key: SiteKey,
  index: number,
  previous: Uint8Array | null,
  text: string,
): Uint8Array {
  return signRecord(key, {
    kind: 'notice',
    version: 1,
    study,
    author: key.id,
    index,
    previous,
    heads: [],
    known: false,
    body: { text },
  });
}

/** A log's records: the first `shared` are the same in every story of the site. */
export function story(key: SiteKey, length: number, shared: number, name: string): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let previous: Uint8Array | null = null;
  for (let index = 0; index < length; index += 1) {
    const entry = say(key, index, previous, index < shared ? 'shared' : name);
    entries.push(entry);
    previous = logPlaceOf(entry).id;
  }
  return entries;
}

/** The checkpoint over the first `size` of these records, signed by `signer`. */
export function checkpointOf(
  key: SiteKey,
  entries: readonly Uint8Array[],
  size: number,
  signer: SiteKey = key,
): VerifiedCheckpoint {
  const root = merkleRoot(entries.slice(0, size).map((entry) => openRecord(entry).leaf));
  return signCheckpoint(
    { size, root },
    { ...logKeyOf(study, key.id), sign: (message) => sign(message, signer.secretKey) },
  );
}

/** A line that was logged. */
export interface Line {
  readonly level: 'debug' | 'error' | 'info' | 'warn';
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** One site with its own disk, in this process. */
export interface WatchingSite {
  readonly key: SiteKey;
  readonly level: MemoryLevel<string, string>;
  readonly log: LogStore;
  readonly notes: NoteStore;
  readonly witnessStore: WitnessStore;
  readonly ownLog: OwnLog;
  readonly witnessing: SiteWitnessing;
  readonly lines: Line[];
  /** Appends `count` records to its own log. */
  write(count: number): Promise<void>;
}

/** What a site may be given instead of a fresh one. */
export interface WatchingSiteInit {
  readonly level?: MemoryLevel<string, string>;
  readonly ownLog?: Partial<OwnLogInit>;
  readonly isSettled?: boolean;
}

/** Sites that see each other, without a network between them. */
export class TestConsortium {
  readonly keys: readonly SiteKey[];
  readonly sites: WatchingSite[] = [];
  /** Sites that cannot be reached. */
  readonly away: Set<SiteId> = new Set<SiteId>();
  /** Answers to requests to cosign in the place of a site's own. */
  readonly liars: Map<
    SiteId,
    (...asked: Parameters<Witnessing['cosign']>) => Promise<CosignReply>
  > = new Map();
  readonly #quorum: number;

  constructor(count: number, quorum: number) {
    this.keys = Array.from({ length: count }, (_, n) => testKey(n));
    this.#quorum = quorum;
  }

  site(n: number): WatchingSite {
    return this.sites[n] as WatchingSite;
  }

  /** Opens all sites. */
  async open(): Promise<this> {
    for (const n of this.keys.keys()) this.sites.push(await this.start(n));
    return this;
  }

  /** Opens one site; on the disk of an earlier one, if it is given. */
  async start(n: number, init: WatchingSiteInit = {}): Promise<WatchingSite> {
    const { level = new MemoryLevel<string, string>(), isSettled = true } = init;
    const key = this.keys[n] as SiteKey;
    const log = await openLogStore(level, logPlaceOf);
    const [notes, witnessStore] = [openNoteStore(level), openWitnessStore(level)];
    const ownLog = new OwnLog(key.id, log, {
      sizeBeforeDamage: 0,
      isRestoring: false,
      ...init.ownLog,
    });
    if (isSettled) ownLog.settle();
    const lines: Line[] = [];
    const witnessing = await openWitnessing({
      key,
      study,
      manifest: {
        witnesses: { quorum: this.#quorum },
        roster: this.keys.map(({ id }, i) => ({
          site: id,
          name: `site-${i}`,
          role: 'trainer',
          patients: 20,
          addresses: [],
        })),
      },
      roster: () => null,
      log,
      notes,
      witness: witnessStore,
      ownLog,
      clock: systemClock,
      random: (count) => randomBytes(count),
      logger: loggerInto(lines),
    });
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        const { size, last } = log.head(key.id);
        await log.append(say(key, size, last, `record ${size}`));
      }
    };
    return { key, level, log, notes, witnessStore, ownLog, witnessing, lines, write };
  }

  /** The network as site `n` sees it. */
  networkOf(n: number): Pick<Network, 'cosign' | 'peers'> {
    const self = this.site(n).key.id;
    return {
      peers: () =>
        this.keys
          .filter(({ id }) => id !== self)
          .map(({ id }) => ({
            site: id,
            connected: !this.away.has(id) && !this.away.has(self),
            gossip: true,
            banned: false,
            lastSyncAt: null,
            lastError: null,
          })),
      cosign: async (id, request) => {
        if (this.away.has(id)) throw new Error('the line is dead');
        const other = this.sites.find(({ key }) => key.id === id) as WatchingSite;
        const answer =
          this.liars.get(id) ?? other.witnessing.exchange.cosign.bind(other.witnessing.exchange);
        return answer(self, request);
      },
    };
  }

  /** The records of site `n`'s own log. */
  entriesOf(n: number): Promise<Uint8Array[]> {
    const { key, log } = this.site(n);
    return log.read(key.id, 0, { maxEntries: 1_000, maxBytes: 2 ** 24 });
  }

  /** Site `n` takes from site `m` what it lacks: records, then notes. */
  async pull(n: number, m: number): Promise<void> {
    const [to, from] = [this.site(n), this.site(m)];
    await this.pullRecords(n, m);
    for (const claim of from.witnessing.exchange.claims()) {
      if (!(await to.witnessing.exchange.wants(claim))) continue;
      const note = await from.witnessing.exchange.note(claim.author, claim.size);
      if (note === undefined) throw new Error('a claimed note is not there');
      const isTaken = await to.witnessing.exchange.take(from.key.id, claim, note);
      if (!isTaken) throw new Error('a good note was not taken');
    }
  }

  async pullRecords(n: number, m: number): Promise<void> {
    const [to, from] = [this.site(n), this.site(m)];
    for (const { author, size } of from.log.heads()) {
      const start = to.log.head(author).size;
      const options = { maxEntries: size, maxBytes: 2 ** 24 };
      for (const entry of await from.log.read(author, start, options)) await to.log.append(entry);
    }
  }
}

function loggerInto(lines: Line[]): Logger {
  const at =
    (level: Line['level']) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields: { ...fields }, message });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
