import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Status } from '@consilium/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { consilium, succeed } from './command-line.ts';
import { freePorts } from './free-ports.ts';
import { NodeProcess, until } from './node-process.ts';
import { foundStudy, type MemberPlan } from './tiny-study.ts';

// Three hospitals that have trained a round, and are then changed under way, as people do it: with files that go from one to the next.

let root = '';
let founding = '';
let ports: number[] = [];
let nodes: NodeProcess[] = [];
const node = (i: number): NodeProcess => nodes[i] as NodeProcess;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-roster-'));
  ports = await freePorts(4);
  const plan = (name: string, i: number): MemberPlan => ({
    name,
    role: 'trainer',
    train: 1,
    test: 0,
    port: ports[i] as number,
  });
  const plans = ['hospital-a', 'hospital-b', 'hospital-c'].map(plan);
  const founded = await foundStudy(root, plans, {
    rounds: { count: 1, quorum: 2, deadlineSeconds: 3600 },
  });
  ({ founding } = founded);
  nodes = founded.folders.map((folder) => new NodeProcess(folder));
  for (const each of nodes) each.start();
  await Promise.all(
    nodes.map((each) =>
      until('everybody is connected and has trained', async () => {
        const status = await each.status();
        return (
          status?.members.filter(({ connected }) => connected).length === 2 &&
          status.members.every(({ round }) => round === 1)
        );
      }),
    ),
  );
}, 180_000);

afterAll(async () => {
  await Promise.all(nodes.map((each) => each.end('SIGKILL')));
  await rm(root, { recursive: true });
});

/** The member of that name, as a node shows it; null while the node does not answer. */
async function memberAt(i: number, name: string): Promise<Status['members'][number] | null> {
  return (await node(i).status())?.members.find((member) => member.name === name) ?? null;
}

async function approve(i: number, file: string): Promise<void> {
  await succeed('roster', 'approve', file, '--yes', '--folder', node(i).folder);
}

describe('three hospitals', { timeout: 300_000 }, () => {
  test('remove one of them: every connection with it closes, and it does not come back', async () => {
    const file = join(root, 'remove.cbor');
    const folder = node(0).folder;
    await succeed('roster', 'propose', '--remove', 'hospital-c', '--out', file, '--folder', folder);
    const told = await succeed('roster', 'approve', file, '--folder', node(1).folder);
    expect(told).toContain('REMOVE hospital-c');
    expect(told).toContain('0 of 2 needed');
    await approve(1, file);
    const early = await consilium(['roster', 'commit', file, '--folder', folder]);
    expect(early.stderr).toContain('it needs 2 approvals, it has 1: hospital-b');
    await approve(0, file);
    expect(await succeed('roster', 'commit', file, '--folder', folder)).toContain('said');
    for (const i of [0, 1]) {
      await until('hospital-c is cut off', async () => {
        const member = await memberAt(i, 'hospital-c');
        return member?.isRemoved === true && member.connected !== true;
      });
    }
    const log = join(node(2).folder, 'node.log');
    const drops = (text: string): number => text.split('peer disconnected').length - 1;
    await until('hospital-c has lost both', async () => drops(await readFile(log, 'utf8')) >= 2);
    await until('hospital-c reaches nobody', async () =>
      (await node(2).status())?.members.every(({ connected }) => connected !== true),
    );
  });

  test('give one of them a new key: it goes on as the same member', async () => {
    const b = node(1);
    const before = await until('hospital-b is shown', () => memberAt(0, 'hospital-b'));
    const rotated = await succeed('identity', 'rotate', '--json', '--folder', b.folder);
    const { from, to } = JSON.parse(rotated) as { from: string; to: string };
    expect(before).toMatchObject({ site: from, key: from, round: 1 });
    await b.end('SIGTERM');
    b.start();
    const after = await until('hospital-a is connected with the new key', async () => {
      const member = await memberAt(0, 'hospital-b');
      return member?.key === to && member.connected === true ? member : null;
    });
    expect(after).toMatchObject({ site: from, round: 1, isRemoved: false });
    await until(
      'the new key is hospital-b’s own',
      () => !existsSync(join(b.folder, 'site.key.next')),
    );
    const shown = JSON.parse(await succeed('identity', 'show', '--json', '--folder', b.folder));
    expect(shown).toEqual({ id: to });
  });

  test('add one, approved with the new key, and it catches up', async () => {
    const folder = join(root, 'hospital-d');
    await succeed('init', '--name', 'hospital-d', '--folder', folder);
    const { id } = JSON.parse(await succeed('identity', 'show', '--json', '--folder', folder));
    const address = `/ip4/127.0.0.1/tcp/${ports[3]}`;
    const config = { name: 'hospital-d', network: { listen: [address], syncSeconds: 2 } };
    await writeFile(join(folder, 'consilium.yaml'), stringify(config));
    await succeed('study', 'join', founding, '--added', '--folder', folder);
    nodes.push(new NodeProcess(folder));
    node(3).start();
    const file = join(root, 'add.cbor');
    const entry = ['--add', 'hospital-d', '--role', 'observer', '--site', id, '--address', address];
    await succeed('roster', 'propose', ...entry, '--out', file, '--folder', node(1).folder);
    for (const i of [0, 1]) await approve(i, file);
    await succeed('roster', 'commit', file, '--folder', node(1).folder);
    await until('hospital-d has what the others have', async () => {
      const [here, there] = [await node(3).status(), await node(0).status()];
      const member = there?.members.find(({ name }) => name === 'hospital-d');
      return member?.connected === true && here?.state?.digest === there?.state?.digest;
    });
    const { members, findings } = (await node(3).status()) as Status;
    expect(members.map(({ name, isRemoved }) => [name, isRemoved])).toEqual([
      ['hospital-a', false],
      ['hospital-b', false],
      ['hospital-c', true],
      ['hospital-d', false],
    ]);
    expect(findings).toEqual([]);
    expect(await succeed('roster', 'show', '--folder', node(3).folder)).toContain(
      'after 2 changes',
    );
    await until('everybody has repeated both changes', async () => {
      const { changes } = JSON.parse((await node(3).ask('/roster')) ?? '{"changes":[]}');
      return changes.length === 2;
    });
  });

  test('the removed one is not let in after all that either', async () => {
    const status = await until('hospital-c answers', () => node(2).status());
    expect(status.members.filter(({ connected }) => connected === true)).toEqual([]);
  });
});
