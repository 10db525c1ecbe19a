import type { PrivacyPolicy, SiteId, SiteRole } from '@consilium/records';
import { isRemoved, termsNow } from '../roster.ts';
import type { Evidence } from './evidence.ts';
import type { Verdict } from './verdict.ts';

/** What one member contributed, by the records that count. */
export interface AuditedMember {
  readonly site: SiteId;
  readonly name: string;
  readonly role: SiteRole;
  /** As it declares. */
  readonly patients: number;
  readonly keys: readonly SiteId[];
  readonly isRemoved: boolean;
  /** Rounds that it gave an update for. */
  readonly rounds: readonly number[];
  readonly evaluations: number;
  /** Private steps that it reserved and what they come to; null where nothing is spent. */
  readonly spent: { readonly steps: number; readonly epsilon: number } | null;
}

/** The state after a round and all before it. */
export interface AuditedRound {
  readonly round: number;
  readonly digest: string;
}

/** What an auditor learns from a bundle. Plain data, the same for the same bundle. */
export interface AuditReport {
  readonly format: 'consilium audit report';
  readonly version: 1;
  /** Whether no question has a finding; not all of them need have been answered. */
  readonly isSound: boolean;
  readonly bundle: { readonly bytes: number; readonly files: number; readonly payloads: boolean };
  readonly study: {
    readonly id: string;
    /** Empty when nothing founds it. */
    readonly name: string;
    readonly privacy: PrivacyPolicy | null;
  };
  /** The state that the bundle shows. */
  readonly state: { readonly digest: string; readonly logs: number };
  readonly members: readonly AuditedMember[];
  /** Digests of the state of every round, computed again, from 0 on; empty where they could not be. */
  readonly rounds: readonly AuditedRound[];
  /** In the order of `verdictNames`. */
  readonly verdicts: readonly Verdict[];
  /** What no audit can tell. */
  readonly beyond: readonly string[];
}

/** Who contributed what. */
export function auditedMembers({ history, decisions }: Evidence): AuditedMember[] {
  return history.speeches.map(({ member, voices }) => {
    const { site, name } = member;
    const { role, patients } = termsNow(member);
    const spending = decisions.spending.get(site);
    return {
      site,
      name,
      role,
      patients,
      keys: voices.map(({ key }) => key),
      isRemoved: isRemoved(member),
      rounds: decisions.updates.filter((each) => each.site === site).map(({ round }) => round),
      evaluations: decisions.evaluations.filter((each) => each.site === site).length,
      spent: spending ? { steps: spending.steps, epsilon: spending.epsilon } : null,
    };
  });
}

/** What a signature, a digest and a sum cannot show, however sound they are. */
export const beyondAnAudit: readonly string[] = [
  'That the patients are real, that they consented, and that their slices were filed under one patient.',
  'That a hospital trained as the task says, and from the data that it declares; that declared numbers of patients are true.',
  'That every patient’s gradient was clipped. Noise that is missing shows; noise whose maker knows it does not.',
  'That the figures of an evaluation were measured. A signature tells who says so, not that it is so.',
  'That a site said everything: what was never signed is in no log.',
  'That a key was in the right hands. Who has a site’s key speaks for the site.',
];
