import { once } from 'node:events';
import { chmod, cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Status } from '@consilium/node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { consilium, type Ended, succeed } from './command-line.ts';
import { NodeProcess, until } from './node-process.ts';
import { foundStudy, slicePixels, writePng } from './tiny-study.ts';

interface LogLine {
  readonly kind: string;
}

let root = '';
/** A site alone in its study; every fault befalls this one, is mended, and the next one comes. */
let site = '';
/** A copy of it from before the first. */
let template = '';
let founding = '';
let stranger = '';
/** What the template's site has said. */
let before: LogLine[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-bad-input-'));
  const founded = await foundStudy(
    root,
    [{ name: 'hospital-a', role: 'trainer', train: 1, test: 5, port: 0 }],
    { rounds: { count: 1, quorum: 1, deadlineSeconds: 600 } },
  );
  [site, founding] = [founded.folders[0] as string, founded.founding];
  template = join(root, 'template');
  await cp(site, template, { recursive: true });
  stranger = join(root, 'stranger');
  await succeed('init', '--name', 'stranger', '--folder', stranger);
  before = await logOf(template);
  expect(before).toHaveLength(1);
}, 120_000);

afterAll(() => rm(root, { recursive: true }));

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Exactly two lines for a person, an exit code that scripts see, and no stack trace. */
function expectExplained({ code, stderr }: Ended, error: RegExp, hint: RegExp, exitCode = 1): void {
  expect(stderr).toMatch(/^error: [^\n]+\nhint: [^\n]+\n$/);
  const [first, second] = stderr.split('\n') as [string, string];
  expect(first).toMatch(error);
  expect(second).toMatch(hint);
  expect(code).toBe(exitCode);
}

async function configure(
  change: (config: Record<string, Record<string, unknown>>) => void,
): Promise<void> {
  const path = join(site, 'consilium.yaml');
  const config = parse(await readFile(path, 'utf8'));
  change(config);
  await writeFile(path, stringify(config));
}

async function occupiedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

function flipByte(path: string, at: number): Promise<void> {
  return readFile(path).then((bytes) => {
    bytes[at] = (bytes[at] as number) ^ 0x10;
    return writeFile(path, bytes);
  });
}

const start = (): Promise<Ended> => consilium(['start', '--folder', site]);
const logOf = async (folder: string): Promise<LogLine[]> =>
  JSON.parse(await succeed('log', 'show', '--json', '--folder', folder)) as LogLine[];

interface Fault {
  readonly error: RegExp;
  readonly hint: RegExp;
  spoil(): Promise<unknown>;
  mend(): Promise<unknown>;
}

const again = (...parts: string[]): Promise<void> =>
  cp(join(template, ...parts), join(site, ...parts), { recursive: true });

const faults: Readonly<Record<string, Fault>> = {
  'a data folder that is not there': {
    spoil: () => rm(join(site, 'data'), { recursive: true }),
    mend: () => again('data'),
    error: /data: no such folder/,
    hint: /data\.train\.folder/,
  },
  'a patient that is not in the index': {
    spoil: () =>
      configure((config) => {
        Object.assign(config['data']?.['train'] as object, { patients: ['nobody'] });
      }),
    mend: () => again('consilium.yaml'),
    error: /no patient nobody/,
    hint: /slice_index\.csv/,
  },
  'a trainer without patients to train on': {
    spoil: () =>
      configure((config) => {
        Object.assign(config['data'] as object, { train: null });
      }),
    mend: () => again('consilium.yaml'),
    error: /trainer/,
    hint: /data\.train/,
  },
  'a mask of another size than its image': {
    spoil: () => writePng(join(site, 'data/covid/train-0-1.png'), 16, Array(256).fill(0)),
    mend: () => again('data'),
    error: /covid\/train-0-1\.png: is 16×16, its image is 32×32/,
    hint: /mend or leave out/,
  },
  'a truncated image': {
    spoil: () => truncate(join(site, 'data/ct/train-0-2.png'), 100),
    mend: () => again('data'),
    error: /ct\/train-0-2\.png: ends after 100 bytes/,
    hint: /mend or leave out/,
  },
  'an unknown key in the configuration': {
    spoil: () =>
      configure((config) => {
        Object.assign(config, { trainning: {} });
      }),
    mend: () => again('consilium.yaml'),
    error: /consilium\.yaml: unknown key trainning at the top level/,
    hint: /config print --effective/,
  },
  'a configuration that is not YAML': {
    spoil: () => writeFile(join(site, 'consilium.yaml'), 'name: [hospital\nhttp: }\n'),
    mend: () => again('consilium.yaml'),
    error: /consilium\.yaml is not YAML/,
    hint: /mend that line/,
  },
  'an HTTP port that is taken': {
    spoil: async () => {
      const port = await occupiedPort();
      await configure((config) => Object.assign(config, { http: { port } }));
    },
    mend: () => again('consilium.yaml'),
    error: /127\.0\.0\.1:\d+ is taken by another program/,
    hint: /http\.port/,
  },
  'a port for the other sites that is taken': {
    spoil: async () => {
      const port = await occupiedPort();
      await configure((config) =>
        Object.assign(config['network'] as object, { listen: [`/ip4/127.0.0.1/tcp/${port}`] }),
      );
    },
    mend: () => again('consilium.yaml'),
    error: /cannot listen on \/ip4\/127\.0\.0\.1\/tcp\/\d+: the port is taken/,
    hint: /network\.listen/,
  },
  'an address to listen on that is none': {
    spoil: () =>
      configure((config) =>
        Object.assign(config['network'] as object, { listen: ['127.0.0.1:4001'] }),
      ),
    mend: () => again('consilium.yaml'),
    error: /127\.0\.0\.1:4001/,
    hint: /network\.listen/,
  },
  'a key that others may read': {
    spoil: () => chmod(join(site, 'site.key'), 0o644),
    mend: () => chmod(join(site, 'site.key'), 0o600),
    error: /site\.key has mode 0644/,
    hint: /chmod 600/,
  },
  'a key file that is damaged': {
    spoil: () => truncate(join(site, 'site.key'), 60),
    mend: () => again('site.key'),
    error: /site\.key is not a consilium-site-key/,
    hint: /backup/,
  },
  'a founding file that was cut': {
    spoil: () => truncate(join(site, 'study.cbor'), 300),
    mend: () => again('study.cbor'),
    error: /study\.cbor is not a founding file/,
    hint: /ask the founder/,
  },
  'a founding file with one byte changed': {
    spoil: () => flipByte(join(site, 'study.cbor'), 400),
    mend: () => again('study.cbor'),
    error: /study\.cbor is not a founding file/,
    hint: /ask the founder/,
  },
  'a founding file that is not there': {
    spoil: () => rm(join(site, 'study.cbor')),
    mend: () => again('study.cbor'),
    error: /no founding file/,
    hint: /study join/,
  },
  'a store that is no folder': {
    spoil: async () => {
      await rm(join(site, 'store'), { recursive: true });
      await writeFile(join(site, 'store'), 'x');
    },
    mend: async () => {
      await rm(join(site, 'store'));
      await again('store');
    },
    error: /store/,
    hint: /./,
  },
  'a mask that is none, among the patients to evaluate on': {
    spoil: () =>
      writePng(join(site, 'data/lungs/test-0-0.png'), slicePixels, Array(slicePixels ** 2).fill(7)),
    mend: () => again('data'),
    error: /lungs\/test-0-0\.png: a mask holds 0 and 255 only, got 7/,
    hint: /mend or leave out/,
  },
};

describe('the node ends with an error and a hint:', () => {
  test.each(Object.entries(faults))(
    '%s',
    async (_, { spoil, mend, error, hint }) => {
      await spoil();
      try {
        expectExplained(await start(), error, hint);
      } finally {
        await mend();
      }
    },
    60_000,
  );

  test('and when all of that is mended, it starts, says all that it had said, and finishes its study', async () => {
    const node = new NodeProcess(site);
    node.start();
    try {
      await until('the mended site has evaluated its last round', async () => {
        if (!node.isRunning) throw new Error(`the node has ended: ${node.stderr}`);
        return (await node.status())?.evaluations.length === 1;
      });
      // A second node in the same folder does not start, and does not take away what tells where the first one is.
      expectExplained(
        await start(),
        /another process has .* open/,
        /stop the node that runs there/,
      );
      const status = JSON.parse(await succeed('status', '--json', '--folder', site)) as Status;
      expect(status.activity).not.toBeNull();
      expect(status.findings).toEqual([]);
    } finally {
      expect(await node.end('SIGTERM')).toBe(0);
    }
    const after = await logOf(site);
    expect(after.slice(0, 1)).toEqual(before);
    expect(after.map(({ kind }) => kind)).toEqual(['manifest', 'update', 'evaluation']);
  }, 180_000);
});

describe('a command ends with an error and a hint:', () => {
  test.each<[what: string, words: () => string[], error: RegExp, hint: RegExp, code: number]>([
    ['an unknown command', () => ['strat'], /there is no command strat/, /--help/, 2],
    ['half a command', () => ['study'], /there is no command study/, /--help/, 2],
    ['an unknown option', () => ['status', '--jsn'], /--jsn/, /consilium status/, 2],
    ['an option without its value', () => ['status', '--folder'], /--folder/, /consilium/, 2],
    ['a word too many', () => ['start', 'now'], /takes 0 words, got 1/, /consilium start/, 2],
    ['a word too few', () => ['study', 'join'], /takes 1 words, got 0/, /study join FILE/, 2],
    [
      'a folder that is no site',
      () => ['start', '--folder', join(root, 'nowhere')],
      /cannot read/,
      /consilium init/,
      1,
    ],
    [
      'a site that was made already',
      () => ['init', '--name', 'x', '--folder', site],
      /is a site already/,
      /another folder/,
      1,
    ],
    [
      'a site below a file',
      () => ['init', '--name', 'x', '--folder', join(founding, 'x')],
      /not a directory|ENOTDIR/,
      /./,
      1,
    ],
    [
      'a study that the site is not in',
      () => ['study', 'join', founding, '--folder', stranger],
      /is not in the roster of tiny study/,
      /identity show/,
      1,
    ],
    ['no study yet', () => ['start', '--folder', stranger], /no founding file/, /study join/, 1],
    [
      'a founding file that is a folder',
      () => ['study', 'join', root, '--folder', site],
      /EISDIR/,
      /folder/,
      1,
    ],
    [
      'a founding file that is none',
      () => ['study', 'join', join(site, 'consilium.yaml'), '--folder', site],
      /is not a founding file/,
      /ask the founder/,
      1,
    ],
    [
      'a plan that is not there',
      () => [
        'study',
        'create',
        '--plan',
        join(root, 'x'),
        '--out',
        join(root, 'y'),
        '--folder',
        stranger,
      ],
      /no plan at/,
      /write one/,
      1,
    ],
    [
      'an export into a folder that is not there',
      () => ['model', 'export', '--out', join(root, 'x', 'y'), '--folder', site],
      /ENOENT/,
      /check the path/,
      1,
    ],
    [
      'an export in a format that is not known',
      () => ['model', 'export', '--out', '-', '--format', 'pickle', '--folder', site],
      /format pickle/,
      /safetensors/,
      2,
    ],
  ])(
    '%s',
    async (_, words, error, hint, code) => {
      expectExplained(await consilium(words()), error, hint, code);
    },
    60_000,
  );
});
