import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { consilium, succeed } from './command-line.ts';
import { foundStudy } from './tiny-study.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'consilium-privacy-'));
});
afterAll(() => rm(root, { recursive: true }));

describe('consilium privacy plan', () => {
  test('tells ε, σ, noise against signal and expected cost before a study is founded, with a curve', async () => {
    const picture = join(root, 'plan.svg');
    const said = await succeed(
      ...['privacy', 'plan', '--patients', '200', '--rounds', '20', '--profile', 'balanced'],
      ...['--picture', picture],
    );
    expect(said).toContain('balanced: at most ε 8 at δ 0.00001 for one patient of one site');
    expect(said).toMatch(/noise +multiplier σ = \d+\.\d+, sample rate q = 0\.08000, 100 steps/);
    expect(said).toMatch(/noise is [\d.]+ × the largest signal, over the study [\d.]+ ×/);
    expect(said).toMatch(/^cost +\S/m);
    const last = /^ +20 +([\d.]+) +([\d.]+)$/m.exec(said);
    expect(Number(last?.[1])).toBeLessThanOrEqual(8);
    expect(Number(last?.[2])).toBeLessThanOrEqual(Number(last?.[1]));
    const svg = await readFile(picture, 'utf8');
    expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(svg.match(/<polyline/g)).toHaveLength(3);
  });

  test('more patients make it cheaper, more rounds dearer', async () => {
    const sigma = async (...words: string[]): Promise<number> =>
      JSON.parse(await succeed('privacy', 'plan', '--json', ...words)).policy.noiseMultiplier;
    const usual = await sigma('--patients', '200', '--rounds', '10');
    expect(await sigma('--patients', '800', '--rounds', '10')).toBeLessThan(usual);
    expect(await sigma('--patients', '200', '--rounds', '40')).toBeGreaterThan(usual);
  });

  test.each<[string, string[], number, RegExp]>([
    ['no patients', ['--rounds', '20'], 2, /--patients needs a whole number/],
    ['half a round', ['--patients', '200', '--rounds', '0.5'], 2, /--rounds needs a whole/],
    [
      'a profile that nobody knows',
      ['--patients', '200', '--rounds', '20', '--profile', 'paranoid'],
      2,
      /profile paranoid is not known/,
    ],
    [
      'an expected batch above the cohort',
      ['--patients', '20', '--rounds', '20', '--batch', '21'],
      1,
      /expected batch of 21 patients is above the smallest cohort, 20/,
    ],
    [
      'a δ above 1 ÷ (10 × patients)',
      ['--patients', '200', '--rounds', '20', '--delta', '0.001'],
      1,
      /δ must be in \(0, 0\.000500\]/,
    ],
    [
      'more ε than its profile means',
      ['--patients', '200', '--rounds', '20', '--profile', 'strict', '--epsilon', '3.5'],
      1,
      /profile strict means ε in \(0, 3\]/,
    ],
  ])('refuses %s', async (_, words, code, message) => {
    const ended = await consilium(['privacy', 'plan', ...words]);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toMatch(/^error: .*\nhint: .+\n$/);
    expect(ended.stderr).toMatch(message);
  });
});

describe('a founded private study', () => {
  let folders: string[] = [];
  beforeAll(async () => {
    ({ folders } = await foundStudy(
      join(root, 'study'),
      [
        { name: 'a', role: 'trainer', train: 2, declared: 20, test: 0, port: 0 },
        { name: 'b', role: 'trainer', train: 20, declared: 20, test: 0, port: 0 },
      ],
      {
        rounds: { count: 2, quorum: 2, deadlineSeconds: 60 },
        plan: {
          privacy: { profile: 'strict', expectedBatch: 4 },
          train: ['head'],
          start: 'random',
        },
      },
    ));
  }, 60_000);

  test('shows its promise and what is spent, by both accountants, while no node runs', async () => {
    const [folder = ''] = folders;
    expect(await succeed('status', '--folder', folder)).toContain('privacy   strict: at most ε 3');
    const shown = await succeed('privacy', 'show', '--folder', folder);
    expect(shown).toContain('ε (RDP, the gate)   ε (PLD)');
    expect(shown).toMatch(/^a +0 +0\.000 +0\.000 +0 % +0$/m);
    const { sites } = JSON.parse(await succeed('privacy', 'show', '--json', '--folder', folder));
    expect(sites).toHaveLength(2);
  });

  test('a site with fewer patients than it declared does not start, and reads none', async () => {
    const { code, stderr, stdout } = await consilium(['start', '--folder', folders[0] as string]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: the roster declares 20 patients .* nothing was read\nhint: .+\n$/,
    );
    expect(stdout).not.toContain('privacy reserved');
  });

  test.each<[string, object, RegExp]>([
    [
      'a δ that allows to publish a patient',
      { privacy: { profile: 'balanced', delta: 0.01 } },
      /δ must be/,
    ],
    [
      'a batch above its smallest cohort',
      { privacy: { profile: 'balanced', expectedBatch: 50 } },
      /above the smallest cohort/,
    ],
    [
      'a cap that is not its profile’s',
      { privacy: { profile: 'strict', epsilon: 8 } },
      /profile strict/,
    ],
    ['a negative clip norm', { privacy: { profile: 'strict', clipNorm: -1 } }, /clipNorm/],
    ['a key that nobody knows', { privacy: { profile: 'strict', sigma: 1 } }, /sigma/],
    [
      'a part of the network that is not there',
      { privacy: { profile: 'strict' }, train: ['tail'] },
      /tail/,
    ],
  ])('no study is founded on %s', async (_, changes, message) => {
    const plan = join(root, 'wrong.yaml');
    const roster = [
      {
        name: 'a',
        site: '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
        role: 'trainer',
        patients: 40,
      },
    ];
    const rounds = { count: 4, quorum: 1 };
    await writeFile(plan, stringify({ name: 's', task: 'small', rounds, roster, ...changes }));
    const folder = join(root, 'founder');
    await consilium(['init', '--name', 'a', '--folder', folder]);
    const words = ['study', 'create', '--plan', plan, '--out', join(root, 'x.cbor')];
    const { code, stderr } = await consilium([...words, '--folder', folder]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*\nhint: .+\n$/);
    expect(stderr).toMatch(message);
  });
});
