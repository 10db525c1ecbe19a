import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createNetwork } from '@consilium/network';
import { type ManifestBody, openRecord, type SiteId } from '@consilium/records';
import { found } from '@consilium/study';
import { admissionOf } from './admission.ts';
import { serveApi } from './api/serve-api.ts';
import { chosenEngine, sourceWords } from './chosen-engine.ts';
import { systemClock } from './clock.ts';
import { type Config, loadConfig } from './config.ts';
import { NodeError } from './error.ts';
import { readJoined } from './founding.ts';
import { handOver } from './hand-over.ts';
import { serveHttp } from './http.ts';
import { createLogger, type Logger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { Outbox } from './outbox.ts';
import { OwnLog } from './own-log.ts';
import { RecordIntake } from './record-intake.ts';
import { rosterView } from './roster-view.ts';
import { Site } from './site.ts';
import { checkedData, publishable } from './site-data.ts';
import { type SiteFolder, writeRunning } from './site-folder.ts';
import { confirmLatest, loadSiteKeys } from './site-keys.ts';
import { connectable, type Standing, speakerOf, standingOf, wantedOf } from './standing.ts';
import { openStores } from './stores.ts';
import { together } from './together.ts';
import { createTrainer } from './trainer.ts';
import { openTrainingStore } from './training-store.ts';
import { logLines, type Status, statusOf } from './views.ts';
import { LogEvidence } from './witnessing/log-evidence.ts';
import { witnessRoutes } from './witnessing/witness-routes.ts';
import { openWitnessing } from './witnessing/witnessing.ts';

export interface RunInit {
  /** Takes the members' copy of this site's own log, however long: after its disk was lost or replaced by an old copy. @default false */
  isRestoring?: boolean;
}

/**
 * Runs one site until `signal` aborts. While the site hands on from one key to the next, each has its turn.
 *
 * @throws {NodeError}, {@link LogError}, {@link RecordError}, {@link StudyError} when the site cannot start, or when its disk or its data fail for good.
 */
export async function runNode(
  folder: SiteFolder,
  signal: AbortSignal,
  init: RunInit = {},
): Promise<void> {
  await loadConfig(folder.config);
  const { isUnconfirmed } = await loadSiteKeys(folder);
  let turn: 'earlier' | 'latest' = isUnconfirmed ? 'earlier' : 'latest';
  while ((await runOnce(folder, signal, init, turn)) === 'switch') {
    turn = turn === 'earlier' ? 'latest' : 'earlier';
  }
}

/** The composition root, where every part gets its real clock, disk, network and engine. */
async function runOnce(
  folder: SiteFolder,
  stopped: AbortSignal,
  init: RunInit,
  turn: 'earlier' | 'latest',
): Promise<'stopped' | 'switch'> {
  const config = await loadConfig(folder.config);
  const keys = await loadSiteKeys(folder);
  const key = turn === 'earlier' && keys.earlier !== null ? keys.earlier : keys.latest;
  const founding = await readJoined(folder);
  const logger = createLogger(config.log.level, config.name);
  const { source, ...compute } = await chosenEngine(folder, process.env);
  logger.info({ ...compute, source }, `computes with ${compute.engine}: ${sourceWords[source]}`);
  const data = await checkedData(config, folder);
  await using stores = await openStores(folder);
  const { log, blobs } = stores;
  for (const { author, ...repair } of log.repairs) {
    logger.error(
      { author, ...repair },
      'a log was damaged on disk and cut back; peers will be asked for the rest',
    );
  }
  // The founding file is the founder's first record: with it in the log, the roster is known before anyone is dialled.
  await keepFounding(founding.verified.envelope, log, logger);
  const intake = new RecordIntake(log, founding.verified.id);
  intake.fold.add(founding.verified);
  await intake.take();
  const founded = found(founding.manifest);
  let wanted = wantedOf(intake.roster, founded);
  const self = standingOf(intake.roster, key.id);
  checkStanding(founding.manifest, self, data.train, logger);

  const ownLog = new OwnLog(key.id, log, {
    sizeBeforeDamage: log.repairs.find(({ author }) => author === key.id)?.sizeBefore ?? 0,
    isRestoring: init.isRestoring ?? false,
  });
  const study = founding.verified.id;
  const parts = { key, study, manifest: founding.manifest, ownLog, ...stores, logger };
  const real = { clock: systemClock, random: randomBytes };
  const witnessing = await openWitnessing({ ...parts, ...real, roster: () => intake.roster });
  const evidence = new LogEvidence({ ...witnessing.notes, study, log });
  warnOfPrivacy(founding.manifest, logger);
  const network = createNetwork(
    {
      key,
      log,
      blobs,
      members: () => connectable(intake.roster, founding.manifest),
      wanted: (author) => wanted(author),
      admit: admissionOf((author) => wanted(author), ownLog),
      witnessing: witnessing.exchange,
      clock: systemClock,
      random: randomBytes,
      logger,
    },
    { listen: config.network.listen, timing: { antiEntropyMs: config.network.syncSeconds * 1000 } },
  );
  const trainer = createTrainer({
    compute,
    onReduced: (reduced) =>
      logger.warn(
        { code: 'OUT_OF_MEMORY', ...reduced },
        'memory does not hold a whole batch: fewer samples go at once from now on, with the same result',
      ),
  });
  const site = new Site(
    {
      key,
      study: founding.verified.id,
      log,
      blobs,
      network,
      trainer,
      trainingStore: openTrainingStore(folder.training, (round) =>
        logger.error({ round }, 'the training state is damaged; going on with a fresh one'),
      ),
      clock: systemClock,
      random: randomBytes,
      ownLog,
      logger,
      intake,
      outbox: new Outbox(folder.outbox, founding, logger),
      accuser: witnessing.accuser,
      nextKey: keys.isUnconfirmed && key.id !== keys.latest.id ? keys.latest : null,
    },
    {
      train: data.train,
      test: publishable(data.test, logger),
      payloadBits: config.training.payloadBits,
      everyRounds: config.evaluation.everyRounds,
    },
  );
  /** By a member's name or by the key that speaks for it. */
  const connected = (member: SiteId): boolean | null => {
    const speech = intake.roster?.speeches.find((each) => each.member.site === member);
    const key = speech === undefined ? member : speakerOf(speech);
    return network.peers().find(({ site }) => site === key)?.connected ?? null;
  };
  const status = (): Status =>
    statusOf(
      key.id,
      founding,
      site.state,
      site.activity,
      connected,
      witnessing.notes.view(),
      site.findings,
    );
  const onError = (error: unknown): void =>
    logger.error({ error: String(error) }, 'a request failed');
  const api = serveApi(
    {
      key,
      ownKeys: keys.earlier === null ? [keys.latest] : [keys.latest, keys.earlier],
      pid: process.pid,
      founding: founding.verified,
      log,
      blobs,
      checkpoints: evidence,
      clock: systemClock,
      state: () => site.state,
      connected,
      onError,
    },
    config.http.tokens,
  );
  const switched = new AbortController();
  const signal = AbortSignal.any([stopped, switched.signal]);
  await started(config, () => network.start());
  // Whoever was removed is cut off at once, and whoever was added is dialled, also while this site trains.
  const stopListening = intake.onRoster(() => {
    wanted = wantedOf(intake.roster, founded);
    network.refresh().catch(onError);
  });
  const stopWatching = intake.watch(onError);
  try {
    const metrics = createMetrics(status);
    const http = await serveHttp(
      {
        '/healthz': () => ({ type: 'application/json', body: JSON.stringify({ ok: true }) }),
        '/metrics': async () => ({ type: metrics.contentType, body: await metrics.metrics() }),
        '/status': () => ({ type: 'application/json', body: JSON.stringify(status()) }),
        '/log': async (query) => ({
          type: 'application/json',
          body: JSON.stringify(await logLines(log, query.get('site'))),
        }),
        ...witnessRoutes(witnessing.notes, evidence),
        '/roster': () => {
          const view = rosterView(intake.fold, founding.verified.id);
          return { type: 'application/json', body: JSON.stringify(view) };
        },
        '/model.safetensors': async () => {
          if (site.state === null)
            return { status: 404, type: 'text/plain', body: 'no state yet\n' };
          const { bytes } = await api.queries.file('latest', 'safetensors');
          return { type: 'application/octet-stream', body: bytes };
        },
      },
      { ...config.http, gate: api.handle },
      onError,
    );
    try {
      await writeRunning(folder, http.address);
      logger.info(
        {
          id: key.id,
          role: self?.role ?? 'not in the roster',
          http: http.address,
          listen: network.addresses(),
          study: founding.manifest.name,
        },
        'the node runs; research use only: not a medical device',
      );
      const handing = keys.earlier === null ? null : handOn();
      const keeper = witnessing.keeper(network);
      await together(signal, [(until) => site.run(until), (until) => keeper.run(until)]);
      return (await handing) === 'switch' ? 'switch' : 'stopped';
    } finally {
      await rm(folder.running, { force: true });
      api.stop();
      await http.stop();
    }
  } finally {
    stopListening();
    stopWatching();
    await trainer.stop();
    await network.stop();
    logger.info({}, 'the node has stopped');
  }

  async function handOn(): Promise<'known' | 'stopped' | 'switch'> {
    const isSpeaking = (): boolean => standingOf(intake.roster, key.id) !== null;
    const outcome = await handOver(turn, { network, clock: systemClock, isSpeaking }, stopped);
    if (outcome === 'known' && keys.isUnconfirmed) await confirmLatest(folder);
    if (outcome === 'known') logger.info({ id: key.id }, 'members know this site’s new key');
    if (outcome === 'switch') switched.abort(new Error('the site’s other key has its turn'));
    return outcome;
  }
}

/**
 * What the roster makes of this site must fit what is configured.
 * @throws {NodeError} `DATA` when a trainer names no patients, or fewer than a private study counts on: then each would weigh more than was promised.
 */
function checkStanding(
  { name, privacy }: ManifestBody,
  self: Standing | null,
  train: Config['data']['train'],
  logger: Logger,
): void {
  if (self === null) {
    logger.warn({}, 'the roster does not have this site’s key: nothing is signed before it does');
    return;
  }
  if (self.role !== 'trainer') return;
  if (train === null) {
    throw new NodeError(
      'DATA',
      `this site is a trainer of ${name}, and no patients to train on are named`,
      'name them under data.train in consilium.yaml',
    );
  }
  const patients = train.kind === 'png' ? train.patients.length : train.patients;
  if (privacy.profile === 'off' || patients >= self.patients) return;
  throw new NodeError(
    'DATA',
    `the roster declares ${self.patients} patients of this site, data.train names fewer; nothing was read`,
    'name at least as many patients under data.train, or let the members declare fewer: `consilium roster propose --cap`',
  );
}

function warnOfPrivacy({ privacy }: ManifestBody, logger: Logger): void {
  if (privacy.profile !== 'off') return;
  logger.warn(
    { profile: 'off' },
    'this study runs WITHOUT differential privacy: updates may reveal training data',
  );
}

async function keepFounding(
  envelope: Uint8Array,
  log: Awaited<ReturnType<typeof openStores>>['log'],
  logger: Logger,
): Promise<void> {
  const { record } = openRecord(envelope);
  if (log.head(record.author).size > record.index) return;
  if (log.head(record.author).size < record.index) {
    logger.info({ index: record.index }, 'the founder’s earlier records are fetched first');
    return;
  }
  await log.append(envelope);
}

async function started(config: Config, start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (cause) {
    if (!/EADDRINUSE|UnsupportedListenAddress/.test(describe(cause))) throw cause;
    throw new NodeError(
      'ADDRESS_IN_USE',
      `cannot listen on ${config.network.listen.join(', ')}: the port is taken`,
      'stop the program that has it, or change network.listen in consilium.yaml',
      { cause },
    );
  }
}

function describe(error: unknown): string {
  if (error instanceof AggregateError)
    return [error.message, ...error.errors.map(describe)].join(' ');
  return error instanceof Error
    ? `${error.name} ${error.message} ${describe(error.cause)}`
    : String(error ?? '');
}
