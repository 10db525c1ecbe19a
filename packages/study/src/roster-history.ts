import {
  type RosterChangeBody,
  rosterChangeId,
  type SiteId,
  type VerifiedRecord,
} from '@consilium/records';
import type { SiteChain } from './chain.ts';
import type { Finding } from './finding.ts';
import type { Founding } from './manifest.ts';
import { foundingRoster, type Roster, recordLimit } from './roster.ts';
import { changed } from './roster-rules.ts';
import { type Carrier, isWanted } from './roster-votes.ts';
import { countedOf, isOf, type Speech, speechOf } from './speech.ts';

/** A change that applies, as the first of the members' logs carries it. */
export interface AppliedChange {
  /** Change id (hex). */
  readonly id: string;
  readonly body: RosterChangeBody;
  /** Keys in whose logs it counts, ascending, at least one. */
  readonly carriedBy: readonly SiteId[];
}

/** Who is in the study, what each has said that counts, and the changes that led there. */
export interface RosterHistory {
  readonly roster: Roster;
  /** In the roster's order. */
  readonly speeches: readonly Speech[];
  readonly changes: readonly AppliedChange[];
  readonly findings: readonly Finding[];
}

/** A roster that wanted changes lead to. */
interface Stage {
  readonly roster: Roster;
  /** The stages before it, the manifest's first, and itself. */
  readonly line: readonly Stage[];
  /** Records that show its change and that it is wanted; none for the manifest's. */
  readonly carriers: readonly Carrier[];
}

/**
 * Follows the changes of the roster as far as they lead. Pure: what is known decides, whatever the order in which it came.
 *
 * Changes that members want form a tree by what each follows. The longest line in it applies, and of several the one whose first differing change has
 * the lowest id. A line that cuts away the only record of one of its changes does not apply before another log carries that too: so whoever holds just
 * the records that count comes to the same roster.
 */
export function rosterHistory(
  founding: Founding,
  study: Uint8Array,
  chains: ReadonlyMap<SiteId, SiteChain>,
): RosterHistory {
  const carriers = carriersIn(study, chains);
  const stages = stagesFrom(founding, study, Map.groupBy(carriers, followed));
  for (const stage of stages.toSorted(byLengthThenIds)) {
    const { roster, line } = stage;
    const speeches = speechOf(roster, study, chains, recordLimit(founding, roster));
    const counted = countedOf(speeches);
    const shown = line
      .slice(1)
      .map((each) => each.carriers.filter((one) => isCounted(one, counted)));
    if (shown.some((each) => each.length === 0)) continue;
    return {
      roster,
      speeches,
      changes: shown.map(appliedChange),
      findings: carriers
        .filter((carrier) => isCounted(carrier, counted))
        .flatMap((carrier) => faultOf(carrier, founding, stages, line) ?? []),
    };
  }
  throw new RangeError('the manifest’s own roster stands on no change');
}

function carriersIn(study: Uint8Array, chains: ReadonlyMap<SiteId, SiteChain>): Carrier[] {
  return [...chains.values()]
    .flatMap((chain) => chain.prefix().records)
    .flatMap((verified) => carrierOf(verified, study) ?? [])
    .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

/** Ids are computed once for each record. */
const ids = new WeakMap<VerifiedRecord, string>();

function carrierOf(verified: VerifiedRecord, study: Uint8Array): Carrier | null {
  const { record } = verified;
  if (!record.known || record.kind !== 'roster-change' || !isOf(record.study, study)) return null;
  const { approvals: _, ...proposed } = record.body;
  const id = ids.get(verified) ?? hex(rosterChangeId(study, proposed));
  ids.set(verified, id);
  return { verified, body: record.body, id };
}

/** The order in which carriers are looked at: it must not be that of arrival. */
function placeOf({ verified: { record } }: Carrier): string {
  return `${record.author} ${String(record.index).padStart(10, '0')}`;
}

function followed({ body }: Carrier): string {
  return hex(body.previous);
}

/** Every roster that wanted changes lead to, the manifest's first. */
function stagesFrom(
  founding: Founding,
  study: Uint8Array,
  following: ReadonlyMap<string, readonly Carrier[]>,
): Stage[] {
  const stages: Stage[] = [];
  const reach = (roster: Roster, before: readonly Stage[], carriers: readonly Carrier[]): void => {
    const line = [...before];
    line.push({ roster, line, carriers });
    stages.push(...line.slice(-1));
  };
  reach(foundingRoster(founding, study), [], []);
  for (const parent of stages) {
    const candidates = Map.groupBy(following.get(parent.roster.last) ?? [], ({ id }) => id);
    for (const candidate of candidates.values()) {
      const roster = after(founding, parent.roster, candidate[0] as Carrier);
      const carriers = candidate.filter((carrier) => isWanted(carrier, parent.roster));
      if (carriers.length > 0 && typeof roster !== 'string') reach(roster, parent.line, carriers);
    }
  }
  return stages;
}

function after(founding: Founding, roster: Roster, { body, id }: Carrier): Roster | string {
  if (body.number !== roster.number + 1) return `number ${body.number} after ${roster.number}`;
  return changed(founding, roster, body.change, id);
}

function isCounted({ verified }: Carrier, counted: ReadonlyMap<SiteId, number>): boolean {
  const { author, index } = verified.record;
  return index < (counted.get(author) ?? 0);
}

function byLengthThenIds({ line: a }: Stage, { line: b }: Stage): number {
  if (a.length !== b.length) return b.length - a.length;
  const differing = a.findIndex(({ roster }, i) => roster.last !== b[i]?.roster.last);
  const [one, other] = [a[differing], b[differing]];
  if (one === undefined || other === undefined) return 0;
  return one.roster.last < other.roster.last ? -1 : 1;
}

function appliedChange(carriers: readonly Carrier[]): AppliedChange {
  const { id, body } = carriers[0] as Carrier;
  return { id, body, carriedBy: carriers.map(({ verified }) => verified.record.author) };
}

/** What is wrong with a record that carries a change; null when it applies, and while what it follows is not here. */
function faultOf(
  carrier: Carrier,
  founding: Founding,
  stages: readonly Stage[],
  applied: readonly Stage[],
): Finding | null {
  const { author: site, index } = carrier.verified.record;
  const parent = stages.find(({ roster }) => roster.last === followed(carrier));
  if (parent === undefined) return null;
  const name = `change ${carrier.body.number}, ${short(carrier.id)},`;
  if (!isWanted(carrier, parent.roster)) {
    const message = `${name} lacks approvals of members`;
    return { code: 'ROSTER_APPROVALS', site, index, message };
  }
  const roster = after(founding, parent.roster, carrier);
  if (typeof roster === 'string') {
    return { code: 'ROSTER_RULE', site, index, message: `${name} ${roster}` };
  }
  if (applied.some((stage) => stage.roster.last === carrier.id)) return null;
  const rival = applied[carrier.body.number];
  if (rival !== undefined) {
    const message = `${name} is wanted as well as ${short(rival.roster.last)}, which applies`;
    return { code: 'ROSTER_CONFLICT', site, index, message };
  }
  const message = `${name} would cut away the only record of a change before it, or of itself: another log has to carry that first`;
  return { code: 'ROSTER_RULE', site, index, message };
}

function short(id: string): string {
  return id.slice(0, 16);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
