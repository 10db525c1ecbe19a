import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { DemoPlan } from './plan.ts';
import { consilium, freePorts, NodeProcess } from './processes.ts';

/**
 * Founds the study with the commands that a hospital would type: `init` everywhere, `study create` at the first, `study join` at the
 * others. Returns the sites' processes, not yet started, in the plan's order.
 */
export async function foundConsortium(
  plan: DemoPlan,
  task: unknown,
  root: string,
): Promise<NodeProcess[]> {
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  const ports = await freePorts(plan.sites.length);
  const nodes = plan.sites.map(({ name }) => new NodeProcess(name, join(root, name)));
  const roster = await Promise.all(
    plan.sites.map(async ({ name, role, patients, train, test }, i) => {
      const folder = (nodes[i] as NodeProcess).folder;
      await consilium('init', '--name', name, '--folder', folder);
      const { id } = JSON.parse(
        await consilium('identity', 'show', '--json', '--folder', folder),
      ) as { id: string };
      const address = `/ip4/127.0.0.1/tcp/${ports[i]}`;
      const config = {
        name,
        network: { listen: [address], syncSeconds: 5 },
        data: { train, test },
        evaluation: { everyRounds: role === 'validator' ? 4 : 0 },
      };
      await writeFile(join(folder, 'consilium.yaml'), stringify(config));
      return { name, site: id, role, patients, addresses: [address] };
    }),
  );
  const planFile = join(root, 'plan.yaml');
  const rounds = { count: plan.rounds, deadlineSeconds: plan.deadlineSeconds, quorum: 2 };
  await writeFile(
    planFile,
    stringify({ name: `demonstration on ${plan.title}`, task, seed: 1, rounds, roster }),
  );
  const founding = join(root, 'study.cbor');
  const [founder, ...others] = nodes as [NodeProcess, ...NodeProcess[]];
  await consilium(
    'study',
    'create',
    '--plan',
    planFile,
    '--out',
    founding,
    '--folder',
    founder.folder,
  );
  await Promise.all(
    others.map(({ folder }) => consilium('study', 'join', founding, '--folder', folder)),
  );
  return nodes;
}
