import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { openPngCohort } from '@consilium/imaging';
import { createNetwork } from '@consilium/network';
import { loadKey, openRecord } from '@consilium/records';
import { found } from '@consilium/study';
import { admissionOf } from './admission.ts';
import { systemClock } from './clock.ts';
import { type Config, loadConfig } from './config.ts';
import { NodeError } from './error.ts';
import { memberOf, readJoined } from './founding.ts';
import { serveHttp } from './http.ts';
import { createLogger, type Logger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { leastPublishedPatients } from './recorded-evaluation.ts';
import { Site } from './site.ts';
import { type SiteFolder, writeRunning } from './site-folder.ts';
import { openStores } from './stores.ts';
import { createTrainer } from './trainer.ts';
import { openTrainingStore } from './training-store.ts';
import { logLines, modelFile, type Status, statusOf } from './views.ts';

/**
 * Runs one site until `signal` aborts: the composition root, where every part gets its real clock, disk, network and engine.
 *
 * @throws {NodeError}, {@link LogError}, {@link RecordError}, {@link StudyError} when the site cannot start, or when its disk or its data fail for good.
 */
export async function runNode(folder: SiteFolder, signal: AbortSignal): Promise<void> {
  const config = await loadConfig(folder.config);
  const key = await loadKey(folder.key);
  const founding = await readJoined(folder);
  const self = memberOf(founding.manifest, key.id);
  const logger = createLogger(config.log.level, config.name);
  const data = await checkedData(config, folder);
  if (self.role === 'trainer' && data.train === null) {
    throw new NodeError(
      'DATA',
      `this site is a trainer of ${founding.manifest.name}, and no patients to train on are named`,
      'name them under data.train in consilium.yaml',
    );
  }
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

  const network = createNetwork(
    {
      key,
      log,
      blobs,
      members: () => founding.manifest.roster,
      admit: admissionOf(found(founding.manifest)),
      clock: systemClock,
      random: randomBytes,
      logger,
    },
    { listen: config.network.listen, timing: { antiEntropyMs: config.network.syncSeconds * 1000 } },
  );
  const trainer = createTrainer({ compute: config.compute });
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
      logger,
    },
    {
      train: self.role === 'trainer' ? data.train : null,
      test: self.role === 'observer' ? null : publishable(data.test, logger),
      payloadBits: config.training.payloadBits,
      everyRounds: config.evaluation.everyRounds,
      ownRecords: log.repairs.find(({ author }) => author === key.id)?.sizeBefore ?? 0,
    },
  );
  const status = (): Status => {
    const connected = new Map(network.peers().map((peer) => [peer.site, peer.connected]));
    return statusOf(
      key.id,
      founding,
      site.state,
      site.activity,
      (member) => connected.get(member) ?? null,
    );
  };
  await started(config, () => network.start());
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
        '/model.safetensors': () => {
          if (site.state === null)
            return { status: 404, type: 'text/plain', body: 'no state yet\n' };
          return { type: 'application/octet-stream', body: modelFile(site.state) };
        },
      },
      config.http,
      (error) => logger.error({ error: String(error) }, 'a request failed'),
    );
    try {
      await writeRunning(folder, http.address);
      logger.info(
        {
          id: key.id,
          role: self.role,
          http: http.address,
          listen: network.addresses(),
          study: founding.manifest.name,
        },
        'the node runs; research use only: not a medical device',
      );
      await site.run(signal);
    } finally {
      await rm(folder.running, { force: true });
      await http.stop();
    }
  } finally {
    await trainer.stop();
    await network.stop();
    logger.info({}, 'the node has stopped');
  }
}

/**
 * The site's cohorts with paths that start at the site's folder. A folder or a patient that is not there is told now, and not hours later when the first
 * job needs it.
 */
async function checkedData(config: Config, folder: SiteFolder): Promise<Config['data']> {
  const checked = async (cohort: Config['data']['train']): Promise<Config['data']['train']> => {
    if (cohort?.kind !== 'png') return cohort;
    const path = resolve(folder.root, cohort.folder);
    const index = await openPngCohort(path);
    const unknown = cohort.patients.find((patient) => !index.has(patient));
    if (unknown !== undefined) {
      throw new NodeError(
        'DATA',
        `${path} has no patient ${unknown}`,
        'compare data: in consilium.yaml with slice_index.csv in that folder',
      );
    }
    return { ...cohort, folder: path };
  };
  return { train: await checked(config.data.train), test: await checked(config.data.test) };
}

/** The held-out cohort, or null when it is too small for its figures to be told to others. */
function publishable(test: Config['data']['test'], logger: Logger): Config['data']['test'] {
  if (test === null) return null;
  const patients = test.kind === 'png' ? test.patients.length : test.patients;
  if (patients >= leastPublishedPatients) return test;
  logger.warn(
    { least: leastPublishedPatients },
    'too few held-out patients: this site evaluates nothing for the others',
  );
  return null;
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
