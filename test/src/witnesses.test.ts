import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bareNote,
  encodeCheckpoint,
  merkleRoot,
  openBlobStore,
  openCheckpoint,
  openCosignatures,
  openLogStore,
  parseVerifierKey,
  signCheckpoint,
  type WitnessKey,
} from '@consilium/log';
import { createNetwork, type Network, type NoteClaim, type Witnessing } from '@consilium/network';
import { type Status, systemClock } from '@consilium/node';
import {
  loadKey,
  logPlaceOf,
  openRecord,
  type SiteKey,
  sign,
  signRecord,
  type VerifiedRecord,
} from '@consilium/records';
import { logKeyOf, verifyNote } from '@consilium/study';
import { MemoryLevel } from 'memory-level';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consilium, succeed } from './command-line.ts';
import { freePorts } from './free-ports.ts';
import { NodeProcess, until } from './node-process.ts';
import { foundStudy, type MemberPlan } from './tiny-study.ts';

// Three hospitals' nodes over TCP, and a fourth member that lies. The tests follow one another: every log becomes witnessed, a witness dies and returns,
// a site tells two stories, and a disk is put back to an old copy.

let root = '';
let nodes: NodeProcess[] = [];
let liar: SiteKey;
let founding: VerifiedRecord;
let addresses: string[] = [];
const node = (i: number): NodeProcess => nodes[i] as NodeProcess;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-witnesses-'));
  const ports = await freePorts(3);
  const member = (
    name: string,
    role: MemberPlan['role'],
    train: number,
    port: number,
  ): MemberPlan => ({ name, role, train, test: 0, port });
  const plans = [
    member('hospital-a', 'trainer', 1, ports[0] as number),
    member('hospital-b', 'trainer', 1, ports[1] as number),
    member('auditor', 'observer', 0, ports[2] as number),
    member('liar', 'validator', 0, 0),
  ];
  const { folders, founding: file } = await foundStudy(root, plans, {
    rounds: { count: 2, quorum: 2, deadlineSeconds: 3600 },
    plan: { witnesses: { quorum: 2 } },
  });
  await cp(folders[0] as string, join(root, 'old-copy'), { recursive: true });
  liar = await loadKey(join(folders[3] as string, 'site.key'));
  founding = openRecord(new Uint8Array(await readFile(file)));
  addresses = ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`);
  nodes = folders.slice(0, 3).map((folder) => new NodeProcess(folder));
  for (const each of nodes) each.start();
}, 120_000);

afterAll(async () => {
  await Promise.all(nodes.map((each) => each.end('SIGKILL')));
  await rm(root, { recursive: true });
});

type Watched = Status['witnesses']['logs'][number];

async function logsAt(each: NodeProcess): Promise<readonly Watched[]> {
  if (!each.isRunning) throw new Error(`${each.folder} has ended: ${each.stderr}`);
  return (await each.status())?.witnesses.logs ?? [];
}

const isWitnessed = (logs: readonly Watched[], count: number): boolean =>
  logs.length === count && logs.every(({ size, witnessedSize }) => size === witnessedSize);

async function sizeOf(name: string, at: NodeProcess): Promise<number> {
  return (await logsAt(at)).find((log) => log.name === name)?.size ?? 0;
}

describe('a consortium whose members watch each other’s logs', { timeout: 240_000 }, () => {
  test('a log that grows while a witness is dead waits for it, and nothing else does', async () => {
    await until('the auditor has cosigned something', async () =>
      (await logsAt(node(0))).some(({ witnessedSize }) => witnessedSize > 0),
    );
    await node(2).end('SIGKILL');
    await until('both have trained to the end', async () => {
      const statuses = await Promise.all([node(0).status(), node(1).status()]);
      return statuses.every((status) => status?.rounds.settled === 2);
    });
    const [own] = await until('hospital-b has cosigned all of it', async () => {
      const logs = (await logsAt(node(0))).filter(({ name }) => name === 'hospital-a');
      const [log] = logs;
      const by = log?.witnesses.filter(({ hasCosigned }) => hasCosigned).map(({ name }) => name);
      return log?.size === log?.signedSize && by?.join() === 'hospital-b' ? logs : null;
    });
    expect(own?.witnessedSize).toBeLessThan(own?.size ?? 0);
    const metrics = (await node(0).ask('/metrics')) ?? '';
    expect(metrics).toMatch(
      /^consilium_log_witnessed_lag\{site="12D3KooW\w+",name="hospital-a"\} [1-9]/m,
    );
    const shown = await succeed('status', '--folder', node(0).folder);
    expect(shown).toMatch(
      /hospital-a: \d+ records, \d+ witnessed, \d+ NOT WITNESSED; cosigned by hospital-b \(1 of 2\)/,
    );
  });

  test('when it comes back, every node ends up with a witnessed checkpoint of every log', async () => {
    node(2).start();
    for (const each of nodes) {
      await until('all logs are witnessed', async () => isWitnessed(await logsAt(each), 2));
    }
    const logs = await logsAt(node(2));
    expect(logs.map(({ name, quorum }) => [name, quorum])).toEqual([
      ['hospital-a', 2],
      ['hospital-b', 2],
    ]);
  });

  test('a witnessed checkpoint and a proof are checked by anybody who has the keys or the founding file', async () => {
    const folder = node(2).folder;
    const text = await succeed('log', 'checkpoint', '--site', 'hospital-a', '--folder', folder);
    const told = JSON.parse(
      await succeed('log', 'checkpoint', '--site', 'hospital-a', '--json', '--folder', folder),
    ) as { note: string; logKey: string; witnessKeys: string[]; quorum: number };
    expect(told.note.trim()).toBe(text);
    const logKey = parseVerifierKey(told.logKey);
    if (logKey.type !== 'ed25519') throw new TypeError('not the key of a log');
    const checkpoint = openCheckpoint(new TextEncoder().encode(told.note), logKey, verifyNote);
    const witnesses = told.witnessKeys.map(parseVerifierKey) as WitnessKey[];
    expect(openCosignatures(checkpoint, witnesses, verifyNote).length).toBeGreaterThanOrEqual(
      told.quorum,
    );

    const [proof, elsewhere] = [join(root, 'proof.tlog'), join(root, 'elsewhere')];
    await succeed('log', 'prove', 'hospital-a', '1', '--out', proof, '--folder', folder);
    const study = join(root, 'study.cbor');
    const checked = await succeed(
      'log',
      'verify-proof',
      proof,
      '--study',
      study,
      '--folder',
      elsewhere,
    );
    expect(checked).toContain('record    1 of');
    expect(checked.match(/^witness {3}(hospital-b|auditor), at 2/gm)).toHaveLength(2);
    expect(await succeed('log', 'verify-proof', proof, '--folder', node(1).folder)).toBe(checked);
    const forged = (await readFile(proof, 'utf8')).replace('index 1', 'index 2');
    await writeFile(join(root, 'forged.tlog'), forged);
    const refused = await consilium([
      'log',
      'verify-proof',
      join(root, 'forged.tlog'),
      '--study',
      study,
    ]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('error: ') });
    const early = await consilium(['log', 'prove', 'hospital-a', '999', '--folder', folder]);
    expect(early.stderr).toContain('are witnessed, and not record 999');
  });

  test('a site that shows one log to one member and another to the next is found out by both, and left out by all', async () => {
    const lying = await liarsNode({});
    const truth = await lying.tell(['first', 'second', 'third']);
    const everybody = await Promise.all(
      nodes.map(async (each) => (await each.status())?.site.id ?? ''),
    );
    const [a = '', b = ''] = everybody;
    await until('all have its records', async () => {
      const sizes = await Promise.all(nodes.map((each) => sizeOf('liar', each)));
      return sizes.every((size) => size === 3);
    });
    expect(await lying.network.cosign(a, lying.request(truth))).toMatchObject({ type: 'cosigned' });
    const other = [...truth.slice(0, 1), Uint8Array.of(1), Uint8Array.of(2)];
    // To hospital-b, which holds the other log; before it has heard of the checkpoint that hospital-a cosigned, or after.
    expect(['refused', 'contradiction']).toContain(
      (await lying.network.cosign(b, lying.request(other))).type,
    );
    for (const each of nodes) {
      const finding = await until(
        'everybody has the proof',
        async () =>
          (await each.status())?.findings.find(({ code }) => code === 'SPLIT_VIEW') ?? null,
      );
      expect(finding).toMatchObject({ site: liar.id, index: 2 });
    }
    expect(await succeed('log', 'show', '--folder', node(1).folder)).toMatch(
      /equivocation +PROVES A SPLIT VIEW of 12D3/,
    );
    expect(await succeed('log', 'show', '--folder', node(1).folder)).toContain(
      'SPLIT VIEW of liar',
    );
    expect(await node(1).ask('/metrics')).toMatch(/^consilium_split_views 1$/m);
    await lying.stop();
    // It was found and said once: the others had heard it.
    const said = JSON.parse((await node(0).ask('/log')) ?? '[]') as { kind: string }[];
    expect(said.filter(({ kind }) => kind === 'equivocation').length).toBeLessThanOrEqual(3);
  });

  test('a hospital whose disk is an old copy hears of its own later checkpoint, though nobody gives it the records, and signs nothing', async () => {
    const note = await succeed(
      'log',
      'checkpoint',
      '--site',
      'hospital-a',
      '--folder',
      node(2).folder,
    );
    const { id } = ((await node(0).status()) as Status).site;
    await Promise.all(nodes.map((each) => each.end('SIGTERM')));
    const opened = openCheckpoint(
      new TextEncoder().encode(`${note}\n`),
      logKeyOf(founding.id, id),
      verifyNote,
    );
    const { size, root: top } = opened;
    const claim = { author: id, size, root: top, cosigned: 2, cosigners: new Uint8Array(32) };
    await rm(node(0).folder, { recursive: true });
    await cp(join(root, 'old-copy'), node(0).folder, { recursive: true });
    node(0).start();
    const hiding = await liarsNode({ [id]: { claim, note: encodeCheckpoint(opened) } });
    expect(await node(0).ended()).toBe(1);
    expect(node(0).stderr).toContain('this disk is an old copy');
    await hiding.stop();
    const lines = await readFile(join(node(0).folder, 'node.log'), 'utf8');
    expect(lines).toContain(
      'a member holds a checkpoint over more of this site’s own records than are here',
    );
    expect(
      JSON.parse(await succeed('log', 'show', '--json', '--folder', node(0).folder)),
    ).toHaveLength(1);
  });
});

interface LiarsNode {
  readonly network: Network;
  /** Says these texts in the liar's own log, and returns the leaves of it. */
  tell(texts: readonly string[]): Promise<Uint8Array[]>;
  /** Asks to cosign a log of these leaves. */
  request(leaves: readonly Uint8Array[]): Parameters<Witnessing['cosign']>[1];
  stop(): Promise<void>;
}

/** The fourth member, with a network of its own and no node behind it. It hands out the notes that it is given and no records but its own and the manifest. */
async function liarsNode(
  notes: Readonly<Record<string, { claim: NoteClaim; note: Uint8Array }>>,
): Promise<LiarsNode> {
  const log = await openLogStore(new MemoryLevel(), logPlaceOf);
  await log.append(founding.envelope);
  const { record } = founding;
  if (!record.known || record.kind !== 'manifest') throw new TypeError('not a manifest');
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };
  const network = createNetwork(
    {
      key: liar,
      log,
      blobs: await openBlobStore(join(root, `liar-${Math.floor(performance.now())}`)),
      members: () =>
        record.body.roster.map(({ site }, i) => ({ site, addresses: addresses.slice(i, i + 1) })),
      admit: () => {
        throw new Error('it hears nobody');
      },
      witnessing: {
        cosign: async () => ({ type: 'refused', code: 'unknown-log' }),
        claims: () => Object.values(notes).map(({ claim }) => claim),
        note: async (author) => notes[author]?.note,
        wants: async () => false,
        take: async () => true,
      },
      clock: systemClock,
      random: (count) => crypto.getRandomValues(new Uint8Array(count)),
      logger: silent,
    },
    { timing: { redialBaseMs: 100, redialCapMs: 500, antiEntropyMs: 500 } },
  );
  await network.start();
  const key = logKeyOf(founding.id, liar.id);
  return {
    network,
    tell: async (texts) => {
      const leaves: Uint8Array[] = [];
      for (const text of texts) {
        const { size: index, last: previous } = log.head(liar.id);
        const draft = {
          version: 1,
          study: founding.id,
          author: liar.id,
          index,
          previous,
          heads: [],
        } as const;
        const entry = signRecord(liar, { ...draft, kind: 'notice', known: false, body: { text } });
        await log.append(entry);
        leaves.push(openRecord(entry).leaf);
      }
      return leaves;
    },
    request: (leaves) => {
      const checkpoint = signCheckpoint(
        { size: leaves.length, root: merkleRoot(leaves) },
        { ...key, sign: (message) => sign(message, liar.secretKey) },
      );
      return { oldSize: 0, proof: [], checkpoint: bareNote(checkpoint, key) };
    },
    stop: () => network.stop(),
  };
}
