import type { RosterMember } from '@consilium/network';
import type { ManifestBody, SiteId, SiteRole } from '@consilium/records';
import {
  isRemoved,
  type MemberState,
  type RosterHistory,
  type Speech,
  termsNow,
} from '@consilium/study';

/** What one key is in a study now. */
export interface Standing {
  /** The member's name: the first key that it had. */
  readonly site: SiteId;
  readonly name: string;
  readonly role: SiteRole;
  readonly patients: number;
}

/** The key that speaks for a member now, or spoke last. */
export function speakerOf({ voices }: Speech): SiteId {
  return voices.at(-1)?.key ?? '';
}

/** What `key` is by the roster; null for one that speaks for nobody: a stranger’s, a removed member’s, or one that was rotated away. */
export function standingOf(history: RosterHistory | null, key: SiteId): Standing | null {
  const speech = history?.speeches.find(
    (each) => !isRemoved(each.member) && speakerOf(each) === key,
  );
  if (speech === undefined) return null;
  const { site, name } = speech.member;
  const { role, patients } = termsNow(speech.member);
  return { site, name, role, patients };
}

/** The member for which `key` speaks in a state; undefined as in {@link standingOf}. */
export function memberOfKey(
  { members }: { readonly members: readonly MemberState[] },
  key: SiteId,
): MemberState | undefined {
  return members.find((member) => !member.isRemoved && member.keys.at(-1) === key);
}

/** Who may connect: every member that was not removed, by the key that speaks for it. Before the manifest is in the log, its own roster. */
export function connectable(
  history: RosterHistory | null,
  manifest: ManifestBody,
): readonly RosterMember[] {
  if (history === null) return manifest.roster;
  return history.speeches
    .filter(({ member }) => !isRemoved(member))
    .map((speech) => ({ site: speakerOf(speech), addresses: speech.member.addresses }));
}

/** How many records of each key’s log can count. Logs of removed members and of earlier keys are kept and passed on as far as they do. */
export function wantedOf(
  history: RosterHistory | null,
  { manifest, recordLimit }: { readonly manifest: ManifestBody; readonly recordLimit: number },
): (author: SiteId) => number {
  const most = new Map(
    history === null
      ? manifest.roster.map(({ site }) => [site, recordLimit])
      : history.speeches.flatMap(({ voices }) => voices.map((voice) => [voice.key, voice.most])),
  );
  return (author) => most.get(author) ?? 0;
}
