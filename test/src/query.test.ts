import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, type ClientComponents, ClientError, createClient } from '@consilium/client';
import { logKeyOf, witnessKeyOf } from '@consilium/study';
import { weightsDigest } from '@consilium/weights';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consilium, succeed } from './command-line.ts';
import { freePorts } from './free-ports.ts';
import { NodeProcess, until } from './node-process.ts';
import { foundStudy, type MemberPlan } from './tiny-study.ts';

// A consortium learns two rounds; a researcher with a token asks its observer, the observer's own command line asks it, and both are held against what
// other members have on disk.

const rounds = 2;
let root = '';
let nodes: NodeProcess[] = [];
let folders: string[] = [];
let digest = '';
const tokens = new Map<string, string>();
const trainer = (): NodeProcess => nodes[0] as NodeProcess;
const observer = (): NodeProcess => nodes[3] as NodeProcess;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-query-'));
  const ports = await freePorts(4);
  const plans: MemberPlan[] = [
    { name: 'hospital-a', role: 'trainer', train: 1, test: 0, port: ports[0] as number },
    { name: 'hospital-b', role: 'trainer', train: 1, test: 0, port: ports[1] as number },
    { name: 'external', role: 'validator', train: 0, test: 5, port: ports[2] as number },
    { name: 'auditor', role: 'observer', train: 0, test: 0, port: ports[3] as number },
  ];
  ({ folders } = await foundStudy(root, plans, {
    rounds: { count: rounds, quorum: 2, deadlineSeconds: 3600 },
  }));
  nodes = folders.map((folder) => new NodeProcess(folder));
  for (const role of ['researcher', 'radiologist']) {
    const words = ['token', 'create', '--role', role, '--name', role, '--json'];
    const answer = await succeed(...words, '--folder', observer().folder);
    tokens.set(role, (JSON.parse(answer) as { token: string }).token);
  }
  for (const each of nodes) each.start();
  digest = await until('the last state has been evaluated', async () => {
    const status = await trainer().status();
    const isDone = status?.rounds.settled === rounds && status.state?.complete === true;
    const evaluated = status?.evaluations.some(({ state }) => state === status.state?.digest);
    return isDone && evaluated === true ? (status.state?.digest ?? null) : null;
  });
  const asked = await clientOf('researcher');
  await until('the observer has it too', async () => {
    const state = await asked.state('latest');
    return state.digest === digest && state.evaluations.length > 0;
  });
}, 240_000);

afterAll(async () => {
  await Promise.all(nodes.map((each) => each.end('SIGKILL')));
  await rm(root, { recursive: true });
});

/** A client of the observer, with the token of a role, whose requests go through `via`. */
async function clientOf(
  role: string | null,
  via: ClientComponents['fetch'] = fetch,
): Promise<Client> {
  const { http } = await until('the observer runs', async () => {
    const text = await readFile(join(observer().folder, 'node.json'), 'utf8').catch(() => null);
    return text === null ? null : (JSON.parse(text) as { http: string });
  });
  const words = ['identity', 'show', '--json', '--folder', observer().folder];
  const { id: site } = JSON.parse(await succeed(...words)) as { id: string };
  const token = role === null ? undefined : tokens.get(role);
  return createClient(
    {
      fetch: via,
      random: randomBytes,
      pause: (delayMs, signal) => delay(delayMs, undefined, signal && { signal }),
    },
    { address: http, site, ...(token === undefined ? {} : { token }) },
  );
}

describe('a study that can be asked', { timeout: 120_000 }, () => {
  test('gives a researcher its weights, by digest, over a line that breaks', async () => {
    let cut = 0;
    const breaking: ClientComponents['fetch'] = async (url, init) => {
      const response = await fetch(url, init);
      if (!url.includes('/weights') || response.body === null || cut++ > 0) return response;
      let left = 1000;
      const body = response.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(part, controller) {
            controller.enqueue(part.subarray(0, left));
            left -= part.length;
            if (left < 0) controller.error(new Error('the line broke'));
          },
        }),
      );
      return new Response(body, { status: response.status, headers: response.headers });
    };
    const { layout, grid, gridExponent } = await (await clientOf('researcher', breaking)).weights(
      digest,
    );
    expect(cut).toBe(2);
    expect(weightsDigest(layout, gridExponent, grid)).toBe(digest);
  });

  test('tells what each round was, who gave it, and how well its last state does', async () => {
    const client = await clientOf('researcher');
    const { latest, states } = await client.states();
    expect(states.map((state) => state.names.at(-1))).toEqual(['round:0', 'round:1', 'round:2']);
    expect(latest.digest).toBe(digest);
    const { rounds: given } = await client.participation();
    expect(given.map(({ absent }) => absent)).toEqual([[], []]);
    const { cells } = await client.evaluations('latest');
    expect(cells).toMatchObject([{ name: 'external', role: 'validator', patients: 5 }]);
    expect((await client.consensus()).members).toHaveLength(4);
    expect((await client.privacy()).privacy.profile).toBe('off');
    const events = client.events({ signal: AbortSignal.timeout(30_000) });
    expect((await events.next()).value).toMatchObject({ digest, rounds });
    await events.return(undefined);
  });

  test('proves a record by its author’s checkpoint and a quorum of witnesses, without a word of the node’s own', async () => {
    const client = await clientOf('researcher');
    const { study, witnesses } = await client.study();
    const { members } = await client.members();
    const id = Buffer.from(study.id, 'hex');
    const author = members[0]?.site ?? '';
    const policy = {
      logKey: logKeyOf(id, author),
      witnesses: members.slice(1).map(({ site }) => witnessKeyOf(id, site)),
      quorum: witnesses.quorum,
    };
    expect(witnesses.quorum).toBe(3);
    const { record, proven } = await until(
      'enough have cosigned',
      async () => {
        try {
          return await client.proof(author, 1, policy);
        } catch (error) {
          if (error instanceof ClientError && error.code === 'PROOF') return null;
          throw error;
        }
      },
      500,
    );
    expect(record.record).toMatchObject({ author, index: 1, kind: 'update' });
    expect(proven.cosignatures.length).toBeGreaterThanOrEqual(witnesses.quorum);
  });

  test('refuses who has no token, or one for something else', async () => {
    await expect((await clientOf(null)).study()).rejects.toMatchObject({
      problem: { status: 401, code: 'TOKEN_NEEDED' },
    });
    const radiologist = await clientOf('radiologist');
    expect((await radiologist.study()).study.name).toBe('tiny study');
    await expect(radiologist.weights(digest)).rejects.toMatchObject({
      problem: { status: 403, code: 'ROLE' },
    });
    const yaml = await readFile(join(observer().folder, 'consilium.yaml'), 'utf8');
    for (const token of tokens.values()) expect(yaml).not.toContain(token);
  });

  test('answers its own command line as its disk does, and gives the same files from every member', async () => {
    const running = observer().folder;
    const asked = new Map<string, string>();
    const questions = [
      ['state', 'show'],
      ['state', 'list'],
      ['state', 'diff', 'round:0', 'latest'],
    ];
    for (const words of questions)
      asked.set(words.join(' '), await succeed(...words, '--json', '--folder', running));
    const exported = async (folder: string, name: string, ...words: string[]): Promise<Buffer> => {
      const path = join(root, name);
      await succeed('model', 'export', '--out', path, ...words, '--folder', folder);
      return readFile(path);
    };
    const client = await clientOf('researcher');
    for (const format of ['safetensors', 'onnx'] as const) {
      const { bytes } = await client.file('round:1', format);
      const here = await exported(running, `here.${format}`, '--format', format, '--round', '1');
      expect(here.equals(bytes)).toBe(true);
    }
    const card = await exported(running, 'model.safetensors', '--card').then(() =>
      readFile(join(root, 'model.safetensors.md'), 'utf8'),
    );
    expect(card).toContain(digest);
    expect(card).toMatch(/\| external \| validator \| 5 \| lesion-dice \| [\d.]+ \| [\d.]+ – /);
    expect(await succeed('state', 'show', digest.slice(0, 12), '--folder', running)).toContain(
      `state     ${digest} (latest, round:2)\n`,
    );
    expect(JSON.parse(await succeed('status', '--json', '--folder', running)).state.digest).toBe(
      digest,
    );

    await Promise.all(nodes.map((each) => each.end('SIGTERM')));
    for (const words of questions)
      expect(JSON.parse(await succeed(...words, '--json', '--folder', trainer().folder))).toEqual(
        JSON.parse(asked.get(words.join(' ')) ?? ''),
      );
    const latest = await exported(trainer().folder, 'latest.safetensors');
    expect(latest.equals(await readFile(join(root, 'model.safetensors')))).toBe(true);
    const there = await exported(
      trainer().folder,
      'there.onnx',
      '--format',
      'onnx',
      '--round',
      '1',
    );
    expect(there.equals(await readFile(join(root, 'here.onnx')))).toBe(true);
  });

  test.each([
    [['state', 'show', 'ab'.repeat(32)], 1, 'is not known here'],
    [['state', 'show', 'latest', 'round:1'], 2, 'takes 0 to 1 words'],
    [['model', 'export', '--out', 'x', '--round', '9'], 1, 'round:9 is not known'],
    [['model', 'export', '--out', 'x', '--round', '1', '--state', 'latest'], 2, 'not both'],
  ])('%j ends with %i', async (words, wanted, said) => {
    const { code, stderr } = await consilium([...words, '--folder', trainer().folder]);
    expect(stderr).toMatch(/^error: .*\nhint: /);
    expect(stderr).toContain(said);
    expect(code).toBe(wanted);
  });
});
