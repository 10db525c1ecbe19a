import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePngSlice } from '@consilium/imaging';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { succeed } from './command-line.ts';
import { freePorts } from './free-ports.ts';
import { NodeProcess, until } from './node-process.ts';
import { foundStudy, type MemberPlan } from './tiny-study.ts';

// A whole private study over TCP, with planted names, a planted pixel pattern and a planted exact number of patients. Then everything that anybody else
// could get hold of is searched for them: what the nodes sent, before it was encrypted; what they logged; what lies in their stores; what they answer.

const planted = 'PLANTED-Mustermann-';
/** The exact size of the first hospital's cohort; the roster says 20. No other number of the study is this one. */
const exactPatients = 23;
const tap = join(import.meta.dirname, 'traffic-tap-child.ts');

let root = '';
let nodes: NodeProcess[] = [];
const traffic: string[] = [];
const answers: string[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-leaks-'));
  const ports = await freePorts(3);
  const at = (i: number): number => ports[i] as number;
  const plans: MemberPlan[] = [
    {
      name: 'hospital-a',
      role: 'trainer',
      train: exactPatients,
      declared: 20,
      test: 0,
      port: at(0),
    },
    { name: 'hospital-b', role: 'trainer', train: 21, declared: 20, test: 5, port: at(1) },
    { name: 'auditor', role: 'observer', train: 0, test: 0, port: at(2) },
  ];
  const { folders } = await foundStudy(root, plans, {
    rounds: { count: 3, quorum: 2, deadlineSeconds: 3600 },
    everyRounds: 1,
    patientPrefix: planted,
    config: { log: { level: 'debug' } },
    plan: {
      privacy: { profile: 'balanced', expectedBatch: 8, slicesPerPatient: 2 },
      train: ['all'],
      start: 'random',
    },
  });
  nodes = folders.map((folder, i) => {
    const file = join(root, `traffic-${i}`);
    traffic.push(file);
    const env = { NODE_OPTIONS: `--import=${tap}`, TRAFFIC_TAP: file };
    return new NodeProcess(folder, join(folder, 'node.log'), env);
  });
  for (const each of nodes) each.start();
  await until('every node has the last round', async () => {
    const all = await Promise.all(nodes.map((each) => each.status()));
    const digests = new Set(all.map((status) => status?.state?.digest ?? null));
    const areDone = all.every(
      (status) => status?.rounds.settled === 3 && status.evaluations.length > 0,
    );
    return areDone && digests.size === 1;
  });
  for (const each of nodes)
    for (const path of ['/status', '/metrics', '/log', '/model.safetensors'])
      answers.push((await each.ask(path)) ?? '');
  answers.push(
    await succeed('privacy', 'show', '--json', '--folder', (nodes[0] as NodeProcess).folder),
  );
  await Promise.all(nodes.map((each) => each.end('SIGTERM')));
}, 240_000);

afterAll(async () => {
  await Promise.all(nodes.map((each) => each.end('SIGKILL')));
  await rm(root, { recursive: true });
});

/** Every file of a site but its patients' own and its configuration, which names them. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name !== 'consilium.yaml')
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.startsWith(join(folder, 'data')));
}

async function everythingTold(): Promise<{ name: string; bytes: Buffer }[]> {
  const stores = await Promise.all(nodes.map(({ folder }) => filesOf(folder)));
  const files = [...traffic, ...stores.flat()];
  const read = await Promise.all(
    files.map(async (name) => ({ name, bytes: await readFile(name) })),
  );
  return [
    ...read,
    ...answers.map((text, i) => ({ name: `answer ${i}`, bytes: Buffer.from(text) })),
  ];
}

/** Numbers anywhere in JSON text, by the key they stand under. */
function numbersIn(value: unknown, key = ''): [string, number][] {
  if (typeof value === 'number') return [[key, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    numbersIn(item, Array.isArray(value) ? key : name),
  );
}

function keysIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    Array.isArray(value) ? keysIn(item) : [name, ...keysIn(item)],
  );
}

async function logLines(): Promise<Record<string, unknown>[]> {
  const texts = await Promise.all(
    nodes.map(({ folder }) => readFile(join(folder, 'node.log'), 'utf8')),
  );
  return texts.flatMap((text) =>
    text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line)),
  );
}

test('the search would find: what was sent holds the records, readable, and the patients’ own folder the planted names', async () => {
  const { id } = JSON.parse(answers[0] as string).site;
  for (const [i, file] of traffic.entries()) {
    const sent = await readFile(file);
    expect(sent.includes(id)).toBe(true);
    if (i < 2) expect(sent.includes('application/vnd.consilium.reserve+cbor')).toBe(true);
  }
  const index = await readFile(join((nodes[0] as NodeProcess).folder, 'data', 'slice_index.csv'));
  expect(index.includes(planted)).toBe(true);
});

test('no name of a patient or a slice is in anything that was sent, logged, stored or answered', async () => {
  const told = await everythingTold();
  expect(told.length).toBeGreaterThan(20);
  expect(told.filter(({ bytes }) => bytes.includes(planted)).map(({ name }) => name)).toEqual([]);
});

test('no row of a patient’s pixels is in anything that was sent, logged, stored or answered', async () => {
  const folder = join((nodes[0] as NodeProcess).folder, 'data', 'ct');
  const [first = ''] = (await readdir(folder)).sort();
  const { pixels, width } = decodePngSlice(await readFile(join(folder, first)), first);
  const row = Buffer.from(pixels.subarray(16 * width + 4, 16 * width + 20));
  expect(new Set(row).size).toBeGreaterThan(4);
  const told = await everythingTold();
  expect(told.filter(({ bytes }) => bytes.includes(row)).map(({ name }) => name)).toEqual([]);
});

test('the exact number of patients is under no key of a log line, a record or an answer', async () => {
  const unrelated = new Set(['time', 'pid', 'port', 'index', 'size', 'bytes', 'elapsedMs']);
  const spoken: unknown[] = [
    ...(await logLines()),
    ...answers.filter((text) => /^[[{]/.test(text)).map((text) => JSON.parse(text)),
  ];
  const found = spoken.flatMap((value) => numbersIn(value));
  expect(found.length).toBeGreaterThan(100);
  expect(found.filter(([key, value]) => value === exactPatients && !unrelated.has(key))).toEqual(
    [],
  );
  const metrics = answers.filter((text) => text.includes('# HELP')).join('\n');
  expect(metrics).toContain('consilium_privacy_epsilon_spent');
  expect(metrics.match(new RegExp(`^consilium_\\w+ ${exactPatients}$`, 'm'))).toBeNull();
});

test('no loss, gradient, clip rate or realised batch has a key in a log line, a metric or an answer', async () => {
  const spoken: unknown[] = [
    ...(await logLines()),
    ...answers.filter((text) => /^[[{]/.test(text)).map((text) => JSON.parse(text)),
  ];
  const allowed = new Set(['clipNorm', 'gradientExponent']);
  const keys = new Set(spoken.flatMap(keysIn).filter((key) => !allowed.has(key)));
  expect(keys.size).toBeGreaterThan(20);
  const telling = /loss|gradient|clip|batch|drawn|contribut|finite/i;
  expect([...keys].filter((key) => telling.test(key))).toEqual([]);
  const metrics = answers.filter((text) => text.includes('# HELP')).join('\n');
  expect(
    metrics.split('\n').filter((line) => /^consilium_/.test(line) && telling.test(line)),
  ).toEqual([]);
});
