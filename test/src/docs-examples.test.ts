import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const guides = ['hospital', 'founder', 'researcher', 'auditor', 'data-protection'] as const;

/** A command as `node/src/commands/command.ts` has it. */
interface Command {
  usage: string;
  options: ParseArgsOptionsConfig;
  positionals: number;
  optionalPositionals?: number;
  run(invocation: {
    folder: unknown;
    positionals: readonly string[];
    options: Record<string, unknown>;
    print: (text: string) => void;
    write: (bytes: Uint8Array) => Promise<void>;
    signal: AbortSignal;
  }): Promise<void>;
}

const commandFiles: Readonly<Record<string, readonly [file: string, name: string]>> = {
  init: ['init', 'init'],
  'identity show': ['identity-show', 'identityShow'],
  'study create': ['study-create', 'studyCreate'],
  'study join': ['study-join', 'studyJoin'],
  start: ['start', 'start'],
  status: ['status', 'status'],
  'log show': ['log-show', 'logShow'],
  'log checkpoint': ['log-checkpoint', 'logCheckpoint'],
  'log prove': ['log-prove', 'logProve'],
  'log verify-proof': ['log-verify-proof', 'logVerifyProof'],
  'identity rotate': ['identity-rotate', 'identityRotate'],
  'privacy plan': ['privacy-plan', 'privacyPlanCommand'],
  'privacy show': ['privacy-show', 'privacyShow'],
  'roster show': ['roster-show', 'rosterShow'],
  'roster propose': ['roster-propose', 'rosterPropose'],
  'roster approve': ['roster-approve', 'rosterApprove'],
  'roster commit': ['roster-commit', 'rosterCommit'],
  'state show': ['state-show', 'stateShow'],
  'state list': ['state-list', 'stateList'],
  'state diff': ['state-diff', 'stateDiff'],
  'model export': ['model-export', 'modelExport'],
  'audit export': ['audit-export', 'auditExport'],
  'audit verify': ['audit-verify', 'auditVerify'],
  'token create': ['token-create', 'tokenCreate'],
  'config print': ['config-print', 'configPrint'],
  'doctor compute': ['doctor-compute', 'doctorCompute'],
};

const commands = new Map<string, Command>();
let siteFolder: (root: string) => unknown;
let folder: string;

beforeAll(async () => {
  for (const [words, [file, name]] of Object.entries(commandFiles)) {
    const module: Record<string, Command> = await source(`commands/${file}.ts`);
    const command = module[name];
    if (command === undefined) throw new Error(`node/src/commands/${file}.ts exports no ${name}`);
    commands.set(words, command);
  }
  ({ siteFolder } = await source<{ siteFolder: typeof siteFolder }>('site-folder.ts'));
  folder = await mkdtemp(join(tmpdir(), 'consilium-guides-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(guides)('the guide %s', (guide) => {
  test('names only commands and options that exist', async () => {
    const lines = [...(await page(guide)).matchAll(/^npm run -s consilium -- (.+)$/gm)];
    expect(lines.length).toBeGreaterThan(0);
    for (const [, line = ''] of lines) {
      const { command, positionals } = parsed(words(line));
      const { positionals: least, optionalPositionals = 0 } = command;
      expect(positionals.length, line).toBeGreaterThanOrEqual(least);
      expect(positionals.length, line).toBeLessThanOrEqual(least + optionalPositionals);
    }
  });
});

test('the example configuration of the guide is accepted whole', async () => {
  const { loadConfig } = await source<{
    loadConfig: (path: string) => Promise<{ data: { train: { patients: string[] } } }>;
  }>('config.ts');
  const path = join(folder, 'consilium.yaml');
  await writeFile(path, await fileIn('hospital', 'consilium.yaml'));
  const config = await loadConfig(path);
  expect(config.data.train.patients).toEqual(['case-001', 'case-002', 'case-003']);
});

test('the guide names every key of the configuration with its default', async () => {
  const { checkConfig } = await source<{
    checkConfig: (value: unknown, path: string) => Record<string, unknown>;
  }>('config.ts');
  const { name: _name, ...defaults } = checkConfig({ name: 'x' }, 'defaults');
  const expected = Object.entries(defaults).flatMap(([section, values]) =>
    Object.entries(values as Record<string, unknown>).map(
      ([key, value]) => `| \`${section}.${key}\` | \`${JSON.stringify(value)}\` |`,
    ),
  );
  const text = await page('hospital');
  const stated = [...text.matchAll(/^\| `\w+\.\w+` \| `[^`]*` \|/gm)].map(([row]) => row);
  expect(stated.sort()).toEqual(expected.sort());
});

test('the guide names every metric of a node, and no other', async () => {
  const { createMetrics } = await source<{
    createMetrics: (status: () => unknown) => { getMetricsAsArray(): { name: string }[] };
  }>('metrics.ts');
  const names = createMetrics(() => undefined)
    .getMetricsAsArray()
    .map(({ name }) => name)
    .filter((name) => name.startsWith('consilium_'));
  const stated = [...(await page('hospital')).matchAll(/`(consilium_\w+)`/g)].map(
    ([, name]) => name,
  );
  expect(stated.sort()).toEqual(names.sort());
});

test('an example that the loader refuses would be seen', async () => {
  const { loadConfig } = await source<{ loadConfig: (path: string) => Promise<unknown> }>(
    'config.ts',
  );
  const path = join(folder, 'wrong.yaml');
  await writeFile(path, `${await fileIn('hospital', 'consilium.yaml')}unheard: of\n`);
  await expect(loadConfig(path)).rejects.toMatchObject({ code: 'CONFIG' });
});

test('the guides, followed step by step, found a study, join it and take its model away', async () => {
  const say = async (text: string): Promise<string> => {
    const printed: string[] = [];
    const { command, positionals, values } = parsed(words(text));
    await command.run({
      folder: siteFolder(String(values['folder'])),
      positionals,
      options: values,
      print: (line) => printed.push(line),
      write: async () => undefined,
      signal: AbortSignal.timeout(30_000),
    });
    return printed.join('\n');
  };
  const [founder, member] = [join(folder, 'founder'), join(folder, 'member')];
  await mkdir(founder);
  await say(`init --name General --folder ${founder}`);
  await say(`init --name University --folder ${member}`);
  const ids = [
    await say(`identity show --folder ${founder}`),
    await say(`identity show --folder ${member}`),
  ];

  // The example's sites are others than ours: their first two places are taken.
  let plan = await fileIn('founder', 'plan.yaml');
  for (const id of ids) plan = plan.replace(/site: 12D3KooW(?:K99|JWo)\w+/, `site: ${id}`);
  await writeFile(join(folder, 'plan.yaml'), plan);
  const study = join(folder, 'study.cbor');
  await say(`study create --plan ${join(folder, 'plan.yaml')} --out ${study} --folder ${founder}`);
  expect(await say(`study join ${study} --folder ${member}`)).toContain('role      trainer');

  const status = JSON.parse(await say(`status --json --folder ${founder}`));
  const guide = await page('researcher');
  for (const field of Object.keys(status).filter((name) => !['site', 'activity'].includes(name))) {
    expect(guide, `status field ${field}`).toContain(`| \`${field}\` |`);
  }
  expect(status.state.complete).toBe(true);
  expect(JSON.parse(await say(`log show --json --folder ${founder}`))).toHaveLength(1);

  const model = join(folder, 'model.safetensors');
  expect(await say(`model export --out ${model} --folder ${founder}`)).toContain('not a medical');
  const bytes = await readFile(model);
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE())));
  for (const key of Object.keys(header.__metadata__)) {
    expect(guide, `metadata ${key}`).toContain(`\`${key}\``);
  }
  expect(header.__metadata__.state_digest).toBe(status.state.digest);
}, 60_000);

/** A source file of the node that its index does not export: the command line is all that others are to use. */
function source<T>(name: string): Promise<T> {
  return import(pathToFileURL(join(root, 'node', 'src', name)).href);
}

function page(guide: string): Promise<string> {
  return readFile(join(root, 'packages', 'docs', 'guides', `${guide}.md`), 'utf8');
}

/** The file that a guide shows under `<!-- file: name -->`. */
async function fileIn(guide: string, name: string): Promise<string> {
  const text = await page(guide);
  const [, body] = text.split(`<!-- file: ${name} -->\n\`\`\`yaml\n`);
  if (body === undefined) throw new Error(`the guide ${guide} shows no file ${name}`);
  return body.slice(0, body.indexOf('```'));
}

/** A line of a shell as words; quotes hold words together. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

function parsed(line: readonly string[]): {
  command: Command;
  positionals: string[];
  values: Record<string, unknown>;
} {
  for (const count of [2, 1]) {
    const command = commands.get(line.slice(0, count).join(' '));
    if (command === undefined) continue;
    const options: ParseArgsOptionsConfig = { ...command.options, folder: { type: 'string' } };
    const args = line.slice(count);
    return { command, ...parseArgs({ args, options, allowPositionals: true }) };
  }
  throw new Error(`there is no command ${line.join(' ')}`);
}
