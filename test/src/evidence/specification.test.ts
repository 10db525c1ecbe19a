import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { leafHash, parseVerifierKey, verifyTlogProof, witnessQuorum } from '@consilium/log';
import { expect, test } from 'vitest';
import { verify, workedExample } from './worked-example.ts';

const page = readFileSync(
  join(import.meta.dirname, '../../../packages/docs/spec/checkpoint.md'),
  'utf8',
);
const shown = new Map(
  [...page.matchAll(/<!-- evidence: ([a-z]+) -->\n```text\n([\s\S]*?)```\n/g)].map(
    ([, name = '', text = '']) => [name, text.trimEnd()],
  ),
);

test('every example on the page about checkpoints is what the code computes', () => {
  expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(workedExample()));
});

test('the proof on the page is verified with the keys on the page', () => {
  const [log, witness] = (shown.get('keys') ?? '').split('\n').map(parseVerifierKey);
  if (log?.type !== 'ed25519' || witness?.type !== 'cosignature') {
    throw new TypeError('the page shows the key of a log and the key of a witness');
  }
  const proof = new TextEncoder().encode(`${shown.get('proof')}\n`);
  const policy = { logKey: log, witnesses: [witness], quorum: 1 };
  const proven = verifyTlogProof(proof, leafHash(new TextEncoder().encode('c')), policy, verify);
  expect(proven.index).toBe(2);
  expect(proven.cosignatures).toEqual([
    { name: 'general.example/witness', timestampSeconds: Date.UTC(2026, 0, 1) / 1000 },
  ]);
});

test('the table of quorums is what the code says', () => {
  const rows = [...page.matchAll(/^\| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$/gm)].map(
    (row) => row.slice(1).map(Number),
  );
  const members = [1, 2, 3, 4, 5, 7, 10, 20];
  const computed = members.map((n) => {
    const quorum = witnessQuorum(n);
    return [n, n - 1, quorum, n - 1 - quorum, Math.max(0, 2 * quorum - (n - 1))];
  });
  expect(rows).toEqual(computed);
});
