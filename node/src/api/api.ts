import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Operation,
  type OperationName,
  openApi,
  operations,
  type ParametersOf,
} from '@consilium/client';
import type { Clock } from '@consilium/network';
import type { SiteKey } from '@consilium/records';
import { type AccessInit, type Asker, askerOf } from './access.ts';
import { Allowance, type AllowanceInit } from './allowance.ts';
import { ApiError } from './error.ts';
import { sendFile, sendProblem, sendSigned } from './signed-answer.ts';
import type { StateStream } from './state-stream.ts';
import type { StudyQueries } from './study-queries.ts';
import { tokenHash } from './tokens.ts';

export interface ApiComponents {
  readonly key: SiteKey;
  readonly clock: Pick<Clock, 'now'>;
  readonly queries: StudyQueries;
  readonly stream: StateStream;
  /** Told of what went wrong in here; whoever asked hears only that something did. */
  readonly onError: (error: unknown) => void;
}

export interface ApiInit extends AccessInit {
  readonly allowance?: AllowanceInit;
}

/** Questions that take work: what is folded, drawn up or hashed for one of them. */
const costs: Readonly<Partial<Record<OperationName, number>>> = {
  card: 2,
  consensus: 8,
  diff: 4,
  proof: 2,
  stateAtHeads: 4,
  states: 4,
  weights: 4,
};
/** Who guesses at tokens learns little a minute. */
const costOfRefusal = 10;

/** What answers a question: a value of JSON, or a text. */
type Answers = {
  readonly [N in Exclude<OperationName, 'events' | 'weights'>]: (
    parameters: ParametersOf<N>,
  ) => Promise<unknown>;
};

/**
 * What a node answers over HTTP beside the few addresses of its own command line: everything in the contract, under `/v1/`, and the contract itself. Also the gate
 * before both: who asks, whether they may, and how often.
 */
export class Api {
  readonly #components: ApiComponents;
  readonly #init: ApiInit;
  readonly #allowance: Allowance;
  readonly #answers: Answers;

  constructor(components: ApiComponents, init: ApiInit) {
    this.#components = components;
    this.#init = init;
    this.#allowance = new Allowance(components.clock, init.allowance);
    this.#answers = answersOf(components.queries);
  }

  /**
   * Looks at a request. True when it is answered; false when it is for one of the addresses without a version, and whoever asks may have those.
   */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { key, onError } = this.#components;
    try {
      return await this.#handle(request, response);
    } catch (error) {
      if (!(error instanceof ApiError)) onError(error);
      if (response.headersSent) response.destroy();
      else sendProblem(key, request, response, publicError(error));
      return true;
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    const path = url?.pathname ?? '';
    // Whoever watches over the machine needs no right to see that the node lives.
    if (path === '/healthz') return false;
    const asker = this.#asker(request);
    if (url === null || !(path === '/openapi.json' || path.startsWith('/v1/'))) {
      allow(asker, ['operator']);
      return false;
    }
    if (request.method !== 'GET') {
      throw new ApiError('METHOD', 'nothing can be changed here', { headers: { allow: 'GET' } });
    }
    if (path === '/openapi.json') {
      this.#allowance.take(asker.client, 1);
      this.#send(request, response, 'application/json', JSON.stringify(openApi()));
      return true;
    }
    const found = operationAt(path);
    if (found === null) {
      this.#allowance.take(asker.client, 1);
      throw new ApiError('NOT_FOUND', `there is nothing at ${path}; /openapi.json lists what is`);
    }
    const { name, operation, inPath } = found;
    this.#allowance.take(asker.client, costs[name] ?? 1);
    allow(asker, operation.roles);
    const parameters = parametersOf(operation, inPath, url.searchParams);
    if (name === 'events') this.#components.stream.listen(asker.client, request, response);
    else if (name === 'weights') await this.#file(parameters as never, request, response);
    else await this.#answer(name, parameters, request, response);
    return true;
  }

  #asker(request: IncomingMessage): Asker {
    const { remoteAddress, localAddress } = request.socket;
    try {
      return askerOf({ headers: request.headers, remoteAddress, localAddress }, this.#init);
    } catch (error) {
      this.#allowance.take(`refused ${remoteAddress ?? ''}`, costOfRefusal);
      throw error;
    }
  }

  async #answer(
    name: keyof Answers,
    parameters: Record<string, unknown>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    // The operation's own schema has read its parameters.
    const answer = await this.#answers[name](parameters as never);
    if (typeof answer === 'string') {
      this.#send(request, response, 'text/markdown; charset=utf-8', answer);
    } else {
      this.#send(request, response, 'application/json', JSON.stringify(answer));
    }
  }

  async #file(
    { state, format }: ParametersOf<'weights'>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const file = await this.#components.queries.file(state, format);
    // What else the file says may change while the weights stay: evaluations above all.
    const told =
      format === 'payload' ? '' : `.${tokenHash(JSON.stringify(file.metadata)).slice(0, 16)}`;
    sendFile(this.#components.key, request, response, {
      contentType: file.mediaType,
      body: file.bytes,
      etag: `"${file.digest}${told}"`,
    });
  }

  #send(
    request: IncomingMessage,
    response: ServerResponse,
    contentType: string,
    text: string,
  ): void {
    const body = new TextEncoder().encode(text);
    sendSigned(this.#components.key, request, response, { status: 200, contentType, body });
  }
}

function answersOf(queries: StudyQueries): Answers {
  return {
    study: () => queries.study(),
    members: () => queries.members(),
    states: (page) => queries.states(page),
    state: ({ state }) => queries.state(state),
    stateAtHeads: ({ head }) => queries.stateAtHeads(head.map(headOf)),
    lineage: ({ state }) => queries.lineage(state),
    card: ({ state }) => queries.card(state),
    diff: ({ a, b }) => queries.diff(a, b),
    evaluations: ({ state }) => queries.evaluations(state),
    participation: () => queries.participation(),
    privacy: () => queries.privacy(),
    heads: () => queries.heads(),
    findings: () => queries.findings(),
    consensus: () => queries.consensus(),
    proof: ({ site, index }) => queries.proof(site, index),
  };
}

function headOf(text: string): { author: string; size: number; root: string } {
  const [author = '', size = '', root = ''] = text.split(':');
  return { author, size: Number(size), root };
}

/** @throws {ApiError} `ROLE`. */
function allow({ role }: Asker, roles: Operation['roles']): void {
  if (roles.includes(role)) return;
  throw new ApiError('ROLE', `this is for ${roles.join(', ')}; the token is a ${role}’s`);
}

const templates = Object.entries<Operation>(operations).map(([name, operation]) => ({
  name: name as OperationName,
  operation,
  segments: operation.path.split('/'),
}));

/** The operation at a path, the most literal one first, with what stands in its braces; null when there is none. */
function operationAt(
  path: string,
): { name: OperationName; operation: Operation; inPath: Record<string, string> } | null {
  const given = path.split('/');
  for (const { name, operation, segments } of templates) {
    if (segments.length !== given.length) continue;
    const inPath: Record<string, string> = {};
    const fits = segments.every((segment, i) => {
      const [, parameter] = /^\{(\w+)\}$/.exec(segment) ?? [];
      if (parameter === undefined) return segment === given[i];
      const value = decoded(given[i] ?? '');
      inPath[parameter] = value;
      return value !== '';
    });
    if (fits) return { name, operation, inPath };
  }
  return null;
}

/** Empty for what is no URI component. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}

/** @throws {ApiError} `BAD_PARAMETER`, naming the first that is unknown, given twice, or not what it should be. */
function parametersOf(
  { parameters }: Operation,
  inPath: Record<string, string>,
  query: URLSearchParams,
): Record<string, unknown> {
  const given: Record<string, unknown> = { ...inPath };
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    if (!Object.hasOwn(parameters.shape, name) || Object.hasOwn(inPath, name)) {
      throw new ApiError('BAD_PARAMETER', `there is no parameter ${name.slice(0, 40)} here`);
    }
    given[name] = name === 'head' ? values : values.length === 1 ? values[0] : values;
  }
  const result = parameters.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ApiError('BAD_PARAMETER', `${issue?.path.join('.')}: ${issue?.message}`);
}

/** What may be said of an error to whoever asked. */
function publicError(error: unknown): ApiError {
  return error instanceof ApiError
    ? error
    : new ApiError('INTERNAL', 'the node could not answer; see its log', { cause: error });
}
