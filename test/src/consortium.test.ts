import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { seeded } from '@consilium/model';
import type { Status } from '@consilium/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consilium, succeed } from './command-line.ts';
import { freePorts } from './free-ports.ts';
import { NodeProcess, until } from './node-process.ts';
import { foundStudy, type MemberPlan } from './tiny-study.ts';

// Five processes over TCP. The tests follow one another on one consortium: it learns, is hurt in three ways, goes on to its last round, and is looked at.

const rounds = 5;
const kills = 9;
const killSeed = 20_240_131;

interface LogLine {
  readonly author: string;
  readonly index: number;
  readonly id: string;
  readonly kind: string;
  readonly summary: string;
}

let root = '';
let nodes: NodeProcess[] = [];
const node = (i: number): NodeProcess => nodes[i] as NodeProcess;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-consortium-'));
  const ports = await freePorts(5);
  const plans: MemberPlan[] = [
    { name: 'hospital-a', role: 'trainer', train: 1, test: 0, port: ports[0] as number },
    { name: 'hospital-b', role: 'trainer', train: 2, test: 0, port: ports[1] as number },
    { name: 'hospital-c', role: 'trainer', train: 1, test: 0, port: ports[2] as number },
    { name: 'external', role: 'validator', train: 0, test: 5, port: ports[3] as number },
    { name: 'auditor', role: 'observer', train: 0, test: 0, port: ports[4] as number },
  ];
  const { folders } = await foundStudy(root, plans, {
    // All three or none: the others wait for whoever was killed, so that every kill falls into a running study.
    rounds: { count: rounds, quorum: 3, deadlineSeconds: 3600 },
  });
  nodes = folders.map((folder) => new NodeProcess(folder));
  for (const each of nodes) each.start();
}, 180_000);

afterAll(async () => {
  await Promise.all(nodes.map((each) => each.end('SIGKILL')));
  await rm(root, { recursive: true });
});

async function isTraining(each: NodeProcess): Promise<boolean> {
  return (await each.status())?.activity?.kind === 'training';
}

/** The process that trains for a node, or null. */
async function trainingProcess(each: NodeProcess): Promise<number | null> {
  const [child] = (await readFile(`/proc/${each.pid}/task/${each.pid}/children`, 'utf8')).split(
    ' ',
  );
  return child ? Number(child) : null;
}

async function logAt(each: NodeProcess): Promise<LogLine[]> {
  const answer = await until(
    'the node shows its log',
    () => {
      if (!each.isRunning) throw new Error(`${each.folder} has ended: ${each.stderr}`);
      return each.ask('/log');
    },
    20,
  );
  return JSON.parse(answer) as LogLine[];
}

describe('a consortium of five processes', { timeout: 400_000 }, () => {
  test('a training process that is killed costs its node a job, and the node goes on', async () => {
    const a = node(0);
    await until('hospital-a trains', () => isTraining(a), 20);
    const victim = await until('its training process runs', () => trainingProcess(a), 5);
    const { pid } = a;
    process.kill(victim, 'SIGKILL');
    const next = await until('another training process runs', async () => {
      const now = await trainingProcess(a);
      return now === victim ? null : now;
    });
    expect(next).not.toBe(victim);
    expect(a.pid).toBe(pid);
    expect(await readFile(join(a.folder, 'node.log'), 'utf8')).toContain('PROCESS_LOST');
  });

  test('a hospital that is killed in the middle of its training comes back', async () => {
    const b = node(1);
    await until('hospital-b trains', () => isTraining(b), 5);
    await b.end('SIGKILL');
    b.start();
    await until('hospital-b is back', async () => (await b.status())?.state ?? null);
  });

  test(`nothing that was said is lost over ${kills} kills at moments of every kind`, async () => {
    const c = node(2);
    const id = (await until('hospital-c answers', () => c.status())).site.id;
    const random = seeded('kills', killSeed);
    /** Record ids by index: what hospital-c or anyone else has shown of its log. */
    const said = new Map<number, string>();
    const note = (lines: readonly LogLine[]): void => {
      for (const line of lines.filter(({ author }) => author === id)) {
        expect(said.get(line.index) ?? line.id).toBe(line.id);
        said.set(line.index, line.id);
      }
    };
    const filesOf = async (part: string): Promise<number> =>
      existsSync(join(c.folder, part)) ? (await readdir(join(c.folder, part))).length : 0;
    const moments: Record<string, () => Promise<unknown>> = {
      'while it starts': () => delay(100 + random.below(1500)),
      'while it trains': () => until('it trains', () => isTraining(c), 5),
      'when it keeps what it trained': async () => {
        const before = await filesOf('training');
        await until('it keeps a round', async () => (await filesOf('training')) !== before, 1);
      },
      'when it has said something': async () => {
        const before = said.size;
        await until(
          'it says something',
          async () => {
            const lines = JSON.parse((await c.ask('/log')) ?? '[]') as LogLine[];
            note(lines);
            return said.size > before;
          },
          1,
        );
      },
    };
    const order = Object.keys(moments).filter((name) => name !== 'while it starts');
    const counts = new Map<string, number>();
    for (let kill = 0; kill < kills; kill++) {
      const isOver =
        ((await node(0).status())?.members.find(({ site }) => site === id)?.round ?? 0) >=
        rounds - 1;
      // Near the end of the study nothing but its start is sure to come again.
      const moment =
        isOver || kill % 3 === 2
          ? 'while it starts'
          : (order[random.below(order.length)] as string);
      counts.set(moment, (counts.get(moment) ?? 0) + 1);
      await moments[moment]?.();
      if (moment !== 'while it starts') await delay(random.below(20));
      await c.end('SIGKILL');
      if (kill === 2) await cp(c.folder, join(root, 'old-copy'), { recursive: true });
      // What the others have of it is acknowledged for certain.
      note(await logAt(node(0)));
      c.start();
      if (moment === 'while it starts') continue;
      const lines = (await logAt(c)).filter(({ author }) => author === id);
      expect(lines.length).toBeGreaterThanOrEqual(said.size);
      note(lines);
    }
    expect(counts.size).toBeGreaterThan(1);
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(kills);
    note((await logAt(c)).filter(({ author }) => author === id));
    expect([...said.keys()].sort((x, y) => x - y)).toEqual([...said.keys()].map((_, i) => i));
  });

  test('all five arrive at one digest, with one update a site and round, and no finding', async () => {
    const statuses = await until('every process has the last state, evaluated', async () => {
      const lost = nodes.find((each) => !each.isRunning);
      if (lost !== undefined) throw new Error(`${lost.folder} has ended: ${lost.stderr}`);
      const all = await Promise.all(nodes.map((each) => each.status()));
      const [first] = all;
      return all.every((status): status is Status => {
        return (
          status?.state?.complete === true &&
          status.rounds.settled === rounds &&
          status.state.digest === first?.state?.digest &&
          status.evaluations.some(({ state }) => state === status.state?.digest)
        );
      })
        ? (all as Status[])
        : null;
    });
    for (const status of statuses) {
      expect(status.findings).toEqual([]);
      expect(status.rounds.absent).toEqual([]);
      expect(status.state?.heads).toEqual(statuses[0]?.state?.heads);
    }
    const logs = await Promise.all(nodes.map(logAt));
    const records = (lines: LogLine[]): string[] => lines.map(({ id }) => id).sort();
    for (const lines of logs) expect(records(lines)).toEqual(records(logs[0] as LogLine[]));
    const updates = (logs[0] as LogLine[])
      .filter(({ kind }) => kind === 'update')
      .map(({ author, summary }) => `${author} ${summary.split(',')[0]}`);
    expect(updates).toHaveLength(3 * rounds);
    expect(new Set(updates).size).toBe(3 * rounds);
  });

  test('a hospital whose disk was put back to an old copy reads and signs nothing, until it is told to take its log from the others', async () => {
    const c = node(2);
    const before = await logAt(c);
    const { digest } = ((await c.status()) as Status).state as { digest: string };
    await c.end('SIGTERM');
    await rm(c.folder, { recursive: true });
    await cp(join(root, 'old-copy'), c.folder, { recursive: true });
    for (const start of ['the first start', 'the next one']) {
      c.start();
      expect(await c.ended(), start).toBe(1);
      expect(c.stderr, start).toMatch(/^error: this disk is an old copy.*\nhint: .*--restore/m);
    }
    expect(await readdir(join(c.folder, 'training'))).toEqual(
      await readdir(join(root, 'old-copy', 'training')),
    );
    c.start('--restore');
    const after = await until('it has everything again', async () => {
      const status = await c.status();
      return status?.state?.digest === digest && status.activity?.kind === 'finished'
        ? logAt(c)
        : null;
    });
    expect(after).toEqual(before);
    expect(((await node(0).status()) as Status).findings).toEqual([]);
  });

  test('health and metrics answer, and say nothing of patients or losses', async () => {
    for (const each of nodes) expect(await each.ask('/healthz')).toBe('{"ok":true}');
    const metrics = (await node(0).ask('/metrics')) ?? '';
    expect(metrics).toMatch(new RegExp(`^consilium_rounds_settled ${rounds}$`, 'm'));
    expect(metrics).toMatch(/^consilium_differential_privacy 0$/m);
    expect(metrics).toMatch(/^consilium_findings 0$/m);
    expect(metrics).not.toMatch(/patient|loss|dice|lesion|train-\d|test-\d/i);
  });

  test('the model is the same file from every process, running or stopped, and can be read', async () => {
    const files = await Promise.all(
      nodes.map(async (each, i) => {
        const path = join(root, `model-${i}.safetensors`);
        await succeed('model', 'export', '--out', path, '--folder', each.folder);
        return readFile(path);
      }),
    );
    const [first] = files as [Buffer, ...Buffer[]];
    for (const file of files) expect(file.equals(first)).toBe(true);

    const headerBytes = Number(first.readBigUInt64LE(0));
    const { __metadata__: metadata, ...tensors } = JSON.parse(
      first.subarray(8, 8 + headerBytes).toString('utf8'),
    ) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> & {
      __metadata__: Record<string, string>;
    };
    const status = (await node(4).status()) as Status;
    expect(metadata['state_digest']).toBe(status.state?.digest);
    expect(metadata['privacy_profile']).toBe('off');
    let end = 0;
    for (const { dtype, shape, data_offsets } of Object.values(tensors)) {
      expect(dtype).toBe('F32');
      expect(data_offsets).toEqual([end, end + 4 * shape.reduce((size, n) => size * n, 1)]);
      end = data_offsets[1];
    }
    expect(end).toBe(first.length - 8 - headerBytes);
    const values = new Float32Array(
      first.buffer.slice(first.byteOffset + 8 + headerBytes, first.byteOffset + first.length),
    );
    expect(values.every(Number.isFinite)).toBe(true);

    const running = await Promise.all(
      [['status'], ['log', 'show']].map((words) =>
        succeed(...words, '--json', '--folder', node(3).folder),
      ),
    );
    expect(await Promise.all(nodes.map((each) => each.end('SIGTERM')))).toEqual([0, 0, 0, 0, 0]);
    const stopped = join(root, 'stopped.safetensors');
    await succeed('model', 'export', '--out', stopped, '--folder', node(3).folder);
    expect((await readFile(stopped)).equals(first)).toBe(true);
    const [statusNow, logNow] = [
      await succeed('status', '--json', '--folder', node(3).folder),
      await succeed('log', 'show', '--json', '--folder', node(3).folder),
    ];
    expect(JSON.parse(statusNow).state).toEqual(JSON.parse(running[0] as string).state);
    expect(JSON.parse(statusNow).activity).toBeNull();
    expect(JSON.parse(logNow)).toEqual(JSON.parse(running[1] as string));
    const { code, stdout } = await consilium(['status', '--folder', node(3).folder]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('NOT differentially private'),
    });
  });

  test('no secret key, patient or loss is in any log, store or payload', async () => {
    const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    const seeds = await Promise.all(
      nodes.map(
        async ({ folder }) =>
          (await readFile(join(folder, 'site.key'), 'utf8')).trim().split('\n')[2] as string,
      ),
    );
    const secrets = seeds.flatMap((hex) => {
      const bytes = Buffer.from(hex, 'hex');
      // Of base64 the part that does not depend on what stands before and after.
      return [
        ...[
          hex,
          hex.toUpperCase(),
          bytes.toString('base64').slice(0, 42),
          bytes.toString('base64url').slice(0, 42),
        ].map((text) => Buffer.from(text)),
        bytes,
      ];
    });
    expect(new Set(seeds).size).toBe(5);
    let searched = 0;
    for (const { parentPath, name } of files.filter(({ name }) => name !== 'site.key')) {
      const bytes = await readFile(join(parentPath, name));
      searched += 1;
      expect(
        secrets.filter((secret) => bytes.includes(secret)),
        join(parentPath, name),
      ).toEqual([]);
      if (name === 'node.log') expect(bytes.toString('utf8')).not.toMatch(/train-\d|test-\d|loss/i);
    }
    expect(searched).toBeGreaterThan(5 * 3 * rounds);
  });
});
