import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Client,
  ClientError,
  createClient,
  type DiffAnswer,
  type EvaluationsAnswer,
  type StateAnswer,
  type StatesAnswer,
  type WeightsFormat,
} from '@consilium/client';
import { loadKey, type SiteKey } from '@consilium/records';
import { NodeError } from '../error.ts';
import { readJoined } from '../founding.ts';
import { exists, readRunning, type SiteFolder } from '../site-folder.ts';
import { openStores } from '../stores.ts';
import { ApiError } from './error.ts';
import { noCheckpoints } from './log-proof.ts';
import { StudyHistory } from './study-history.ts';
import { StudyQueries } from './study-queries.ts';
import { localToken } from './tokens.ts';

/** What the command line asks: of the node that runs, over HTTP, or of the disk. */
export interface QueriesHere {
  states(page: { readonly from?: number; readonly limit?: number }): Promise<StatesAnswer>;
  state(name: string): Promise<StateAnswer>;
  diff(a: string, b: string): Promise<DiffAnswer>;
  evaluations(): Promise<EvaluationsAnswer>;
  card(name: string): Promise<string>;
  file(name: string, format: WeightsFormat): Promise<{ readonly bytes: Uint8Array }>;
}

/**
 * Asks about a site's study: the node that runs in `folder`, whose every answer must bear the site's signature, or its disk while none runs.
 *
 * @throws {NodeError} `STATE_UNKNOWN`, `STUDY_MISSING`, `NOT_ANSWERED`, `FOLDER_IN_USE`.
 */
export async function withQueries<T>(
  folder: SiteFolder,
  ask: (queries: QueriesHere) => Promise<T>,
): Promise<T> {
  const keys = await ownKeys(folder);
  try {
    const client = await clientOf(folder, keys);
    return client === null ? await onDisk(folder, keys[0] as SiteKey, ask) : await ask(client);
  } catch (error) {
    throw explained(error);
  }
}

/** The site's key, and those that it is handing on from or to: the running node may speak with either. Nothing is moved, as the node does when it starts. */
async function ownKeys({ key, nextKey, oldKey }: SiteFolder): Promise<SiteKey[]> {
  const keys = [await loadKey(key)];
  for (const other of [nextKey, oldKey]) if (await exists(other)) keys.push(await loadKey(other));
  return keys;
}

/** A client of the node that runs here, or null when none does: a file that a killed node left behind counts as none. */
async function clientOf(folder: SiteFolder, keys: readonly SiteKey[]): Promise<Client | null> {
  const running = await readRunning(folder);
  if (running === null) return null;
  for (const key of keys) {
    const client = await answering(running, key);
    if (client !== null) return client;
  }
  return null;
}

/** A client of a node, if it answers and signs with that key. */
async function answering(
  running: { readonly http: string; readonly pid: number },
  key: SiteKey,
): Promise<Client | null> {
  const client = createClient(
    {
      fetch,
      random: randomBytes,
      pause: (delayMs, signal) => pause(delayMs, undefined, { signal }),
    },
    { address: running.http, site: key.id, token: localToken(key, running.pid) },
  );
  try {
    await client.heads({ signal: AbortSignal.timeout(30_000) });
    return client;
  } catch (error) {
    // Nobody listens there any more, or by now somebody else: the disk's lock tells if that is wrong.
    const isGone =
      error instanceof ClientError && (error.code === 'UNREACHABLE' || error.code === 'SIGNATURE');
    if (isGone) return null;
    throw error;
  }
}

async function onDisk<T>(
  folder: SiteFolder,
  { id: self }: SiteKey,
  ask: (queries: QueriesHere) => Promise<T>,
): Promise<T> {
  const { verified } = await readJoined(folder);
  await using stores = await openStores(folder);
  const { log, blobs } = stores;
  const history = new StudyHistory({ founding: verified, log, blobs });
  const parts = { self, history, checkpoints: noCheckpoints, connected: () => null };
  return await ask(new StudyQueries(parts));
}

/** An error of the API, from this process or from the node's, as one of the node's own; every other stays. */
function explained(error: unknown): unknown {
  const code = error instanceof ApiError ? error.code : problemCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  const options = { cause: error };
  if (code === 'STATE_UNKNOWN') {
    const hint =
      '`consilium state list` shows what is known; a state is named by digest or round:N';
    return new NodeError('STATE_UNKNOWN', error.message, hint, options);
  }
  if (code === 'NOT_READY') {
    const hint =
      'wait until it has the study’s initial weights; `consilium status` shows how far it is';
    return new NodeError('STUDY_MISSING', error.message, hint, options);
  }
  const hint = 'the documentation of errors tells more under ApiError and ClientError';
  return new NodeError('NOT_ANSWERED', `${error.message} (${code})`, hint, options);
}

/** The problem's code where the node answered with one, the client's own otherwise; undefined for any other error. */
function problemCode(error: unknown): string | undefined {
  if (!(error instanceof ClientError)) return undefined;
  return error.problem?.code ?? error.code;
}
