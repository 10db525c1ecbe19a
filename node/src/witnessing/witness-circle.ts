import type { ManifestBody, SiteId } from '@consilium/records';
import { isRemoved, type RosterHistory } from '@consilium/study';
import { speakerOf } from '../standing.ts';

/** A member that can cosign, by the key that speaks for it now. */
export interface CircleMember {
  readonly site: SiteId;
  /** For people. */
  readonly name: string;
}

/** Whose logs are watched by whom. Members are those of the time when it is asked. */
export interface WitnessCircle {
  /** Every key whose log is watched: those of members, of removed ones and earlier ones too. */
  authors(): readonly SiteId[];
  /** The keys that speak for members now. */
  speakers(): readonly SiteId[];
  /** Who can cosign a key's log: every member but the one that it speaks or spoke for. */
  witnessesOf(author: SiteId): readonly CircleMember[];
  /** How many of these have to: the manifest's number, or all when there are fewer. */
  quorumOf(author: SiteId): number;
  /** The name of the member that a key speaks or spoke for; the key itself for a stranger's. */
  nameOf(site: SiteId): string;
}

interface Voices extends CircleMember {
  readonly keys: readonly SiteId[];
  readonly isPresent: boolean;
}

/** The circle of a study, by its roster as it is known here; before that is known, by the manifest's. */
export function witnessCircle(
  { roster, witnesses }: Pick<ManifestBody, 'roster' | 'witnesses'>,
  history: () => RosterHistory | null,
): WitnessCircle {
  function voices(): Voices[] {
    const speeches = history()?.speeches;
    if (speeches === undefined) {
      return roster.map(({ site, name }) => ({ site, name, keys: [site], isPresent: true }));
    }
    return speeches.map((speech) => ({
      site: speakerOf(speech),
      name: speech.member.name,
      keys: speech.voices.map(({ key }) => key),
      isPresent: !isRemoved(speech.member),
    }));
  }
  function witnessesOf(author: SiteId): CircleMember[] {
    return voices()
      .filter(({ keys, isPresent }) => isPresent && !keys.includes(author))
      .map(({ site, name }) => ({ site, name }));
  }
  return {
    authors: () => voices().flatMap(({ keys }) => keys),
    speakers: () =>
      voices()
        .filter(({ isPresent }) => isPresent)
        .map(({ site }) => site),
    witnessesOf,
    quorumOf: (author) => Math.min(witnesses.quorum, witnessesOf(author).length),
    nameOf: (site) => voices().find(({ keys }) => keys.includes(site))?.name ?? site,
  };
}
