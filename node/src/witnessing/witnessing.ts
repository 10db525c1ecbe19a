import type { LogStore, WitnessStore } from '@consilium/log';
import type { Clock, Network, Witnessing } from '@consilium/network';
import type { SiteKey } from '@consilium/records';
import type { RandomBytes } from '@consilium/weights';
import type { Logger } from '../logger.ts';
import type { OwnLog } from '../own-log.ts';
import { Accuser } from './accuser.ts';
import { CheckpointKeeper, type CheckpointKeeperInit } from './checkpoint-keeper.ts';
import { MemberWitness } from './member-witness.ts';
import { NoteExchange } from './note-exchange.ts';
import { type Notes, type NotesComponents, openNotes } from './open-notes.ts';

export interface WitnessingComponents extends NotesComponents {
  readonly key: SiteKey;
  readonly log: LogStore;
  /** What this site has cosigned. */
  readonly witness: WitnessStore;
  readonly ownLog: Pick<OwnLog, 'hear' | 'isSettled' | 'maySign'>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
}

/** A site's part in watching logs: as a witness of the others', and for its own. */
export interface SiteWitnessing {
  readonly notes: Notes;
  /** What the network exchanges with other members. */
  readonly exchange: Witnessing;
  readonly accuser: Accuser;
  /** What has the site's own log witnessed, over a network that was given `exchange`. */
  keeper(network: Pick<Network, 'cosign' | 'peers'>, init?: CheckpointKeeperInit): CheckpointKeeper;
}

/** Opens what is on disk and puts the parts together. @throws {LogError} `STORE`. */
export async function openWitnessing(components: WitnessingComponents): Promise<SiteWitnessing> {
  const notes = await openNotes(components);
  const shared = { ...components, ...notes, self: components.key.id };
  const witness = new MemberWitness({ ...shared, store: components.witness });
  const exchange = new NoteExchange({ ...shared, witness });
  return {
    notes,
    exchange,
    accuser: new Accuser(() => notes.suspicions.proven(), components.logger),
    keeper: (network, init) =>
      new CheckpointKeeper(
        { ...shared, network, onAccused: (evidence) => exchange.hearEvidence(evidence) },
        init,
      ),
  };
}
