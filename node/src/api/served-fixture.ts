import { type Client, createClient, type Role } from '@consilium/client';
import type { StudyState } from '@consilium/study';
import { type HttpServer, serveHttp } from '../http.ts';
import type { AllowanceInit } from './allowance.ts';
import { Api } from './api.ts';
import type { ApiStudy } from './api-fixture.ts';
import { StillClock } from './clock-fixture.ts';
import { noCheckpoints } from './log-proof.ts';
import { StateStream } from './state-stream.ts';
import { StudyQueries } from './study-queries.ts';
import { newToken, tokenHash } from './tokens.ts';

export const allRoles: readonly Role[] = ['operator', 'auditor', 'researcher', 'radiologist'];

/** Each role's token. */
export function tokenOf(role: Role): string {
  return newToken((count) => new Uint8Array(count).fill(role.length));
}

export interface ServedInit {
  /** @default one for each role */
  readonly tokens?: false;
  /** @default as much as anybody could ask for */
  readonly allowance?: AllowanceInit;
}

/** For tests: the auditor's node of a study, on a port of its own, with a clock that stands still. */
export class ServedStudy {
  readonly clock = new StillClock();
  readonly failures: unknown[] = [];
  readonly stream: StateStream;
  readonly #study: ApiStudy;
  #server: HttpServer | null = null;
  #asked = 0;
  /** What the site's own loop says. */
  state: StudyState | null = null;

  constructor(study: ApiStudy) {
    this.#study = study;
    this.stream = new StateStream({ key: this.key, clock: this.clock, state: () => this.state });
  }

  get key(): ReturnType<ApiStudy['key']> {
    return this.#study.key(4);
  }

  get address(): string {
    return this.#server?.address ?? '';
  }

  async start({ tokens, allowance }: ServedInit = {}): Promise<void> {
    const history = this.#study.history();
    this.state = await history.latest();
    const queries = new StudyQueries({
      self: this.key.id,
      history,
      checkpoints: noCheckpoints,
      connected: () => null,
    });
    const onError = (error: unknown): void => {
      this.failures.push(error);
    };
    const { key, clock, stream } = this;
    const given = allRoles.map((role) => ({ name: role, role, sha256: tokenHash(tokenOf(role)) }));
    const api = new Api(
      { key, clock, queries, stream, onError },
      {
        tokens: tokens === false ? [] : given,
        localTokens: ['local'],
        allowance: allowance ?? { perSecond: 1e6, burst: 1e6 },
      },
    );
    this.#server = await serveHttp(
      {
        '/status': () => ({ type: 'application/json', body: '"status"' }),
        '/healthz': () => ({ type: 'application/json', body: '"ok"' }),
      },
      { host: '127.0.0.1', port: 0, gate: (request, response) => api.handle(request, response) },
      onError,
    );
  }

  async stop(): Promise<void> {
    this.stream.stop();
    await this.#server?.stop();
  }

  /** A client that waits for ever where it would wait. */
  client(role: Role | null = 'researcher'): Client {
    const token = role === null ? {} : { token: tokenOf(role) };
    return createClient(
      {
        fetch,
        random: (count) => new Uint8Array(count).fill(this.#asked++),
        pause: (_, signal) =>
          new Promise((_resolve, reject) =>
            signal?.addEventListener('abort', () => reject(signal.reason)),
          ),
      },
      { address: this.address, site: this.key.id, ...token },
    );
  }

  /** Asks as the researcher, unless the headers say otherwise. */
  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const authorization = `Bearer ${tokenOf('researcher')}`;
    return fetch(`${this.address}${path}`, { headers: { authorization, ...headers } });
  }
}
