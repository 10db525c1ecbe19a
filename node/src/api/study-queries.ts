import type {
  ConsensusAnswer,
  DiffAnswer,
  EvaluationsAnswer,
  FindingsAnswer,
  HeadsAnswer,
  LineageAnswer,
  MembersAnswer,
  ParticipationAnswer,
  PrivacyAnswer,
  ProofAnswer,
  StateAnswer,
  StateOutline,
  StatesAnswer,
  StudyAnswer,
  WeightsFormat,
} from '@consilium/client';
import type { SiteId, VerifiedRecord } from '@consilium/records';
import { type Heads, StudyError, type StudyState } from '@consilium/study';
import { settledRound } from '../pacing.ts';
import { privacyOf } from '../privacy-view.ts';
import { ApiError } from './error.ts';
import { type CheckpointSource, logProof } from './log-proof.ts';
import { modelCard } from './model-card.ts';
import { intendedUse, modelMetadata } from './model-metadata.ts';
import { stateDistance } from './state-distance.ts';
import {
  evaluationCells,
  lineageOf,
  minimumCohort,
  named,
  outlineOf,
  participationOf,
  stateAnswerOf,
} from './state-view.ts';
import { claimOf, headsOf, type StudyHistory } from './study-history.ts';
import { type WeightsFile, weightsFile } from './weights-file.ts';

export interface StudyQueriesComponents {
  /** The site that answers. */
  readonly self: SiteId;
  readonly history: StudyHistory;
  readonly checkpoints: CheckpointSource;
  /** Whether a member is connected; null where that means nothing. */
  readonly connected: (site: SiteId) => boolean | null;
}

/**
 * What can be asked about a study, answered from this node's logs: the same questions as the client's, whether they come over HTTP or from the command line
 * while no node runs.
 *
 * Every method throws {@link ApiError}: `NOT_READY` while the study's beginning is not here, `STATE_UNKNOWN` for a state that is not.
 */
export class StudyQueries {
  readonly #components: StudyQueriesComponents;

  constructor(components: StudyQueriesComponents) {
    this.#components = components;
  }

  async study(): Promise<StudyAnswer> {
    const { manifest, study, members } = await this.#latest();
    const { self } = this.#components;
    const member = members.find(({ keys }) => keys.includes(self));
    return {
      study: { id: study, name: manifest.name },
      site: { id: self, name: member?.name ?? self, role: member?.role ?? 'observer' },
      task: manifest.task,
      layout: manifest.layout.map(({ name, shape }) => ({ name, shape: [...shape] })),
      gridExponent: manifest.gridExponent,
      rounds: manifest.rounds,
      aggregation: manifest.aggregation,
      witnesses: manifest.witnesses,
      privacy: privacyPromise(manifest),
      minimumCohort,
      intendedUse,
    };
  }

  async members(): Promise<MembersAnswer> {
    const { members } = await this.#latest();
    return {
      members: members.map((member) => {
        const { site, name, role, patients, weight, lastRound, logSize } = member;
        const { keys, isRemoved, spending } = member;
        const connected = this.#components.connected(site);
        const about = { site, name, role, patients, weight, lastRound, logSize };
        return { ...about, keys: [...keys], isRemoved, connected, spending };
      }),
    };
  }

  /** The latest state and those of at most `limit` rounds from `from` on; without `from`, the last ones. */
  async states({
    from,
    limit = 20,
  }: {
    from?: number | undefined;
    limit?: number;
  } = {}): Promise<StatesAnswer> {
    const latest = await this.#latest();
    const first = from ?? Math.max(0, latest.rounds.length - limit + 1);
    const outlines = await this.#asked(() =>
      this.#components.history.rounds(first, first + limit - 1),
    );
    return {
      latest: outlineOf(latest, await this.#namesOf(latest, latest)),
      from: first,
      states: outlines.map(({ round, digest, isComplete, heads }) => ({
        digest,
        names: [...(digest === latest.digest ? ['latest'] : []), `round:${round}`],
        rounds: round,
        isComplete,
        heads: [...heads],
        absent: (latest.rounds[round - 1]?.absent ?? []).map((site) => named(latest, site)),
      })),
    };
  }

  async state(name: string): Promise<StateAnswer> {
    const [state, latest] = [await this.#find(name), await this.#latest()];
    return stateAnswerOf(state, latest, await this.#namesOf(state, latest));
  }

  async stateAtHeads(heads: Heads): Promise<StateAnswer> {
    const state = await this.#asked(() => this.#components.history.atHeads(heads));
    const latest = await this.#latest();
    return stateAnswerOf(state, latest, await this.#namesOf(state, latest));
  }

  async lineage(name: string): Promise<LineageAnswer> {
    return lineageOf(await this.#find(name));
  }

  async evaluations(name?: string): Promise<EvaluationsAnswer> {
    const digest = name === undefined ? null : (await this.#find(name)).digest;
    return { minimumCohort, cells: evaluationCells(await this.#latest(), digest) };
  }

  async participation(): Promise<ParticipationAnswer> {
    const latest = await this.#latest();
    return {
      count: latest.manifest.rounds.count,
      settled: settledRound(latest),
      rounds: participationOf(latest),
    };
  }

  async privacy(): Promise<PrivacyAnswer> {
    const { manifest, members } = await this.#latest();
    return {
      privacy: privacyPromise(manifest),
      sites: members.flatMap(({ site, name, spending }) =>
        spending === null ? [] : [{ site, name, spending }],
      ),
    };
  }

  async heads(): Promise<HeadsAnswer> {
    return { heads: [...(await this.#latest()).heads] };
  }

  async findings(): Promise<FindingsAnswer> {
    return { findings: [...(await this.#latest()).findings] };
  }

  /** How far each member's model was from this one when it last spoke, by the logs that its last record says it was made from. */
  async consensus(): Promise<ConsensusAnswer> {
    const latest = await this.#latest();
    const members: ConsensusAnswer['members'] = [];
    for (const { site, keys } of latest.members) {
      const last = await this.#lastRecord(keys);
      const heads = last === undefined ? [] : headsOf(last.record);
      const state = heads.length === 0 ? null : await this.#stateAt(heads);
      members.push({
        ...named(latest, site),
        heads: heads.length === 0 ? null : [...heads],
        state: state?.digest ?? null,
        distance: state === null ? null : stateDistance(state.weights, latest.weights),
        claimed: last === undefined ? null : claimOf(last.record),
      });
    }
    const known = members.flatMap(({ distance }) => distance ?? []);
    return {
      state: latest.digest,
      members,
      largest: known.length === 0 ? null : Math.max(...known),
    };
  }

  async diff(nameA: string, nameB: string): Promise<DiffAnswer> {
    const [a, b] = [await this.#find(nameA), await this.#find(nameB)];
    const latest = await this.#latest();
    const sizeIn = (state: StudyState, author: SiteId): number =>
      state.heads.find((head) => head.author === author)?.size ?? 0;
    const authors = [...new Set([...a.heads, ...b.heads].map(({ author }) => author))].sort();
    return {
      a: await this.#outline(a, latest),
      b: await this.#outline(b, latest),
      isSame: a.digest === b.digest,
      distance: stateDistance(a.weights, b.weights),
      logs: authors
        .map((author) => ({
          ...named(latest, author),
          sizeA: sizeIn(a, author),
          sizeB: sizeIn(b, author),
        }))
        .filter(({ sizeA, sizeB }) => sizeA !== sizeB),
    };
  }

  async card(name: string): Promise<string> {
    return `${modelCard(await this.#find(name), await this.#latest())}\n`;
  }

  /** A state's weights, with the digest that names them and whatever else the file says. */
  async file(
    name: string,
    format: WeightsFormat,
  ): Promise<WeightsFile & { readonly digest: string; readonly metadata: Record<string, string> }> {
    const state = await this.#find(name);
    const metadata = format === 'payload' ? {} : modelMetadata(state, await this.#latest());
    return { ...weightsFile(state, format, metadata), digest: state.digest, metadata };
  }

  async proof(site: SiteId, index: number): Promise<ProofAnswer> {
    const { history, checkpoints } = this.#components;
    return logProof(site, index, await this.#asked(() => history.recordsOf(site)), checkpoints);
  }

  #latest(): Promise<StudyState> {
    return this.#asked(() => this.#components.history.latest());
  }

  async #find(name: string): Promise<StudyState> {
    const { history } = this.#components;
    const [, round] = /^round:(\d+)$/.exec(name) ?? [];
    const state = await this.#asked(() => {
      if (name === 'latest') return history.latest();
      return round === undefined ? history.byDigest(name) : history.atRound(Number(round));
    });
    if (state === null) throw new ApiError('STATE_UNKNOWN', `the state ${name} is not known here`);
    return state;
  }

  /** What a member said last, with whichever of its keys. */
  async #lastRecord(keys: readonly SiteId[]): Promise<VerifiedRecord | undefined> {
    for (const key of keys.toReversed()) {
      const records = await this.#asked(() => this.#components.history.recordsOf(key));
      if (records.length > 0) return records.at(-1);
    }
    return undefined;
  }

  /** Null for logs that are not here, or no longer count. */
  async #stateAt(heads: Heads): Promise<StudyState | null> {
    try {
      return await this.#components.history.atHeads(heads);
    } catch (error) {
      if (error instanceof StudyError) return null;
      throw error;
    }
  }

  async #outline(state: StudyState, latest: StudyState): Promise<StateOutline> {
    return outlineOf(state, await this.#namesOf(state, latest));
  }

  /** `latest` and `round:N`, as far as they name these weights: of rounds, the state's own last one is looked at. */
  async #namesOf(state: StudyState, latest: StudyState): Promise<string[]> {
    const round = state.rounds.length;
    const [ofRound] = await this.#asked(() => this.#components.history.rounds(round, round));
    return [
      ...(state.digest === latest.digest ? ['latest'] : []),
      ...(ofRound?.digest === state.digest ? [`round:${round}`] : []),
    ];
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (cause) {
      if (!(cause instanceof StudyError)) throw cause;
      throw new ApiError(
        cause.code === 'HEADS_UNKNOWN' ? 'STATE_UNKNOWN' : 'NOT_READY',
        cause.message,
        { cause },
      );
    }
  }
}

function privacyPromise(manifest: StudyState['manifest']): StudyAnswer['privacy'] {
  const { profile, meaning, policy } = privacyOf(manifest);
  return { profile, meaning, policy: policy === null ? null : { ...policy } };
}
