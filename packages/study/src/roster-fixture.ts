import { createHash } from 'node:crypto';
import {
  approveRosterChange,
  consentToRotation,
  keyFromSeed,
  type ProposedChange,
  type RosterApproval,
  type RosterChange,
  rosterChangeId,
  type SiteKey,
  type VerifiedRecord,
} from '@consilium/records';
import { TestStudy } from './study-fixture.ts';

/** The first number of a key that the manifest does not know. */
const firstNewKey = 50;

/** For tests: a consortium that changes its roster. Keys from `firstNewKey` on belong to nobody at first. */
export class ChangingStudy extends TestStudy {
  override key(n: number): SiteKey {
    if (n < firstNewKey) return super.key(n);
    return keyFromSeed(createHash('sha256').update(`new key ${n}`).digest());
  }

  /** A change that follows another one, or the manifest. */
  propose(change: RosterChange, after: ProposedChange | null = null): ProposedChange {
    return {
      number: (after?.number ?? 0) + 1,
      previous: after === null ? this.study : rosterChangeId(this.study, after),
      change,
    };
  }

  /** The approvals of these keys, in their order of keys. */
  approvals(proposed: ProposedChange, approvers: readonly number[]): RosterApproval[] {
    return inOrder(approvers.map((n) => approveRosterChange(this.key(n), this.study, proposed)));
  }

  /** Lets a key carry a change with these keys' approvals. */
  carry(carrier: number, proposed: ProposedChange, approvers: readonly number[]): VerifiedRecord {
    return this.carryWith(carrier, proposed, this.approvals(proposed, approvers));
  }

  carryWith(
    carrier: number,
    { number, previous, change }: ProposedChange,
    approvals: readonly RosterApproval[],
    at?: number,
  ): VerifiedRecord {
    const body = { number, previous, change, approvals };
    return this.say(carrier, { kind: 'roster-change', body }, this.study, at);
  }

  /** Lets a key hand on to another one, as the last thing that it says. */
  rotate(from: number, to: number, at: number = this.size(from)): VerifiedRecord {
    const place = { study: this.study, from: this.key(from).id, index: at, to: this.key(to).id };
    const body = consentToRotation(this.key(to), place);
    return this.say(
      from,
      { kind: 'rotation', body },
      this.study,
      at === this.size(from) ? undefined : at,
    );
  }

  /** Records that a key has said. */
  size(n: number): number {
    const { id } = this.key(n);
    return this.records.filter(({ record }) => record.author === id).length;
  }

  add(n: number, patients = 15): RosterChange {
    const role = patients > 0 ? 'trainer' : 'validator';
    const entry = {
      site: this.key(n).id,
      name: `site-${n}`,
      role,
      patients,
      addresses: [],
    } as const;
    return { kind: 'add', entry };
  }

  remove(member: number, at: number, key: number = member): RosterChange {
    return { kind: 'remove', site: this.key(member).id, until: [{ key: this.key(key).id, at }] };
  }

  hand(member: number, at: number, to: number, spentSteps = 0, key: number = member): RosterChange {
    const until = [{ key: this.key(key).id, at }];
    return { kind: 'rotate', site: this.key(member).id, until, to: this.key(to).id, spentSteps };
  }

  demote(member: number, at: number): RosterChange {
    const { id } = this.key(member);
    return { kind: 'role', site: id, role: 'validator', patients: 0, from: { key: id, at } };
  }

  cap(member: number, patients: number, at: number): RosterChange {
    const { id } = this.key(member);
    return { kind: 'cap', site: id, patients, from: { key: id, at } };
  }
}

export function inOrder(approvals: readonly RosterApproval[]): RosterApproval[] {
  return approvals.toSorted((a, b) => (a.site < b.site ? -1 : 1));
}
