import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { privateTask, smallTask } from '@consilium/model';
import type { AuditReport } from '@consilium/study/audit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consilium, succeed } from './command-line.ts';
import { freePorts } from './free-ports.ts';
import { NodeProcess, until } from './node-process.ts';
import { foundStudy, type MemberPlan, slicePixels } from './tiny-study.ts';

// Two hospitals train two private rounds, a third one evaluates. Then a node is stopped, and an auditor gets one file.

const rounds = 2;
const patients = 8;
const task = privateTask({
  ...smallTask,
  network: { size: slicePixels, cropSize: 16, slices: 1, channels: [4, 8], groupChannels: 4 },
  training: { ...smallTask.training, batch: 2 },
});
let root = '';
let nodes: NodeProcess[] = [];
let digest = '';
const folder = (): string => (nodes[0] as NodeProcess).folder;
const bundle = (): string => join(root, 'bundle.tar');

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-audit-'));
  const ports = await freePorts(3);
  const trainer = { role: 'trainer', train: patients, declared: patients, test: 0 } as const;
  const plans: MemberPlan[] = [
    { ...trainer, name: 'hospital-a', port: ports[0] as number },
    { ...trainer, name: 'hospital-b', port: ports[1] as number },
    { name: 'external', role: 'validator', train: 0, test: 5, port: ports[2] as number },
  ];
  const { folders } = await foundStudy(root, plans, {
    rounds: { count: rounds, quorum: 2, deadlineSeconds: 3600 },
    plan: {
      task: { ...task, training: { ...task.training, stepsPerRound: 2 } },
      start: 'random',
      train: ['all'],
      privacy: { profile: 'reconstruction-guard', expectedBatch: 4, slicesPerPatient: 1 },
    },
  });
  nodes = folders.map((each) => new NodeProcess(each));
  for (const each of nodes) each.start();
  digest = await until('the last state was evaluated, and every log witnessed', async () => {
    const status = await (nodes[0] as NodeProcess).status();
    const state = status?.state;
    const isEvaluated = status?.evaluations.some((each) => each.state === state?.digest) === true;
    const logs = status?.witnesses?.logs ?? [];
    const isWitnessed = logs.length === 3 && logs.every((log) => log.witnessedSize === log.size);
    return isEvaluated && isWitnessed ? (state?.digest ?? null) : null;
  });
}, 240_000);

afterAll(async () => {
  await Promise.all(nodes.map((each) => each.end('SIGKILL')));
  await rm(root, { recursive: true });
});

async function verify(...words: string[]): Promise<{ report: AuditReport; code: number | null }> {
  const { stdout, code } = await consilium(['audit', 'verify', ...words, '--json']);
  return { report: JSON.parse(stdout) as AuditReport, code };
}

describe('an auditor', { timeout: 240_000 }, () => {
  test('gets nothing while the node has its stores to itself', async () => {
    const { code, stderr } = await consilium([
      ...['audit', 'export', '-o', bundle()],
      ...['--folder', folder()],
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('stop it, export, and start it again');
    await Promise.all(nodes.map((each) => each.end('SIGTERM')));
  });

  test('gets one file from a stopped node, which says beforehand how large it will be', async () => {
    const told = await succeed('audit', 'export', '-o', bundle(), '--folder', folder());
    expect(told).toMatch(/bundle\.tar: \S+ kB, \d+ records, 4 updates with their payloads/);
    expect(told).toContain(`state ${digest}`);
    const again = await consilium(['audit', 'export', '-o', bundle(), '--folder', folder()]);
    expect(again.stderr).toContain('is there already');
  });

  test('can look into it with tar alone', async () => {
    const listed = execFileSync('tar', ['-tf', bundle()], { encoding: 'utf8' }).split('\n');
    expect(listed[0]).toBe('index.json');
    expect(listed.filter((name) => name.startsWith('payloads/'))).toHaveLength(2 * rounds);
    expect(listed.filter((name) => name.startsWith('checkpoints/')).length).toBeGreaterThan(2);
  });

  test('finds every question answered, noise and weights of real training included', async () => {
    const { report, code } = await verify(bundle());
    expect(report.verdicts.map(({ status }) => status)).toEqual(Array(10).fill('holds'));
    expect(report.state.digest).toBe(digest);
    expect(report.rounds.at(-1)?.digest).toBe(digest);
    expect(report.members.map((member) => member.rounds.length)).toEqual([2, 2, 0]);
    expect(report.members[0]?.spent?.steps).toBe(4);
    expect(code).toBe(0);
  });

  test('gets a page to print that needs nothing else', async () => {
    const page = join(root, 'report.html');
    const text = await succeed('audit', 'verify', bundle(), '--html', page);
    expect(text).toContain('Nothing was found, and every question was answered.');
    const html = await readFile(page, 'utf8');
    expect(html).toContain(digest);
    expect(html).not.toMatch(/<script|src=|href=|https?:/);
  });

  test('is told by the exit code: 1 when it is another study, 2 when a byte is not as it was', async () => {
    const other = await verify(bundle(), '--study', 'ab'.repeat(32));
    expect(other.code).toBe(1);
    expect(other.report.verdicts[0]?.findings.map(({ code }) => code)).toEqual(['OTHER_STUDY']);
    const bytes = await readFile(bundle());
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    const damaged = join(root, 'damaged.tar');
    await writeFile(damaged, bytes);
    const unreadable = await consilium(['audit', 'verify', damaged]);
    expect(unreadable.code).toBe(2);
    expect(unreadable.stderr).toMatch(/has another SHA-256|is not in its one form/);
    expect((await consilium(['audit', 'verify', join(root, 'none.tar')])).code).toBe(2);
  });

  test('is told what a bundle without payloads cannot show', async () => {
    const small = join(root, 'small.tar');
    await succeed('audit', 'export', '-o', small, '--no-payloads', '--folder', folder());
    const { report, code } = await verify(small);
    expect(code).toBe(0);
    const open = report.verdicts.filter(({ status }) => status === 'not-checked');
    expect(open.map(({ name }) => name)).toEqual(['payloads', 'noise', 'weights', 'lineage']);
  });
});
