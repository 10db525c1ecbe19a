import { cp, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { consilium } from './command-line.ts';
import { NodeProcess, until } from './node-process.ts';

// Runs on a small disk of its own: `full-disk-child.ts DISK TEMPLATE`. For every amount of room that is left on the disk: what the node does, and what the
// site has when there is room again. One JSON line each.

/** What became of one start with little room, and of the next one with enough. */
export interface FullDiskReport {
  readonly roomKiB: number;
  /** Null when the node did not mind. */
  readonly ended: { readonly code: number | null; readonly stderr: string } | null;
  readonly kindsBefore: readonly string[];
  readonly kindsAfter: readonly string[];
}

const [disk, template] = process.argv.slice(2) as [string, string];
const filler = join(disk, 'filler');

async function fillUpTo(roomKiB: number): Promise<void> {
  const { bavail, bsize } = await statfs(disk);
  await writeFile(filler, new Uint8Array(Math.max(0, bavail * bsize - roomKiB * 1024)));
}

async function kinds(site: string): Promise<string[]> {
  const { code, stdout, stderr } = await consilium(['log', 'show', '--json', '--folder', site]);
  if (code !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as { kind: string }[]).map(({ kind }) => kind);
}

/** Runs the node until it ends by itself or has evaluated its last round. */
async function live(site: string): Promise<FullDiskReport['ended']> {
  const node = new NodeProcess(site, join(template, 'node.log'));
  node.start();
  await until('the node ends or has finished', async () => {
    return !node.isRunning || (await node.status())?.evaluations.length === 1;
  });
  if (!node.isRunning) return { code: await node.ended(), stderr: node.stderr };
  await node.end('SIGTERM');
  return null;
}

for (const roomKiB of [0, 20, 64]) {
  const site = join(disk, 'site');
  await cp(template, site, { recursive: true });
  await fillUpTo(roomKiB);
  const ended = await live(site);
  await rm(filler);
  const kindsBefore = await kinds(site);
  const mended = await live(site);
  if (mended !== null) throw new Error(`with room again the node ended: ${mended.stderr}`);
  const kindsAfter = await kinds(site);
  const report: FullDiskReport = { roomKiB, ended, kindsBefore, kindsAfter };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  await rm(site, { recursive: true });
}
