import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyRoot, leafHash, merkleRoot, nodeHash, TreeHasher } from './tree.ts';

const { CONSILIUM_SHARED } = process.env;
const shared = CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared');
const vectorFile = join(shared, 'vectors/crypto_vectors.json');
const hasVectors = existsSync(vectorFile);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));

/** RFC 6962 §2.1 word for word: split at the largest power of two below the size. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return emptyRoot();
  if (leaves.length === 1) return leafHash(first);
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return nodeHash(rootByDefinition(leaves.slice(0, k)), rootByDefinition(leaves.slice(k)));
}

test.skipIf(!hasVectors)('agrees with the published roots, leaf and node (shared vectors)', () => {
  const { rfc6962 } = JSON.parse(readFileSync(vectorFile, 'utf8')).published;
  const leaves = rfc6962.leaf_inputs_hex.map(
    (leaf: string) => new Uint8Array(Buffer.from(leaf, 'hex')),
  );
  const roots = rfc6962.roots_by_size.map((_: string, size: number) =>
    hex(merkleRoot(leaves.slice(0, size))),
  );
  expect(roots).toHaveLength(9);
  expect(roots).toEqual(rfc6962.roots_by_size);
  expect(hex(leafHash(text('L123456')))).toBe(rfc6962.leaf_L123456);
  expect(hex(nodeHash(text('N123'), text('N456')))).toBe(rfc6962.node_N123_N456);
});

test('has SHA-256 of nothing as its empty root', () => {
  expect(hex(new TreeHasher().root())).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});

test('hashes leaves after a zero byte and nodes after a one, so that neither passes for the other', () => {
  const sha256 = (...parts: Uint8Array[]): Uint8Array =>
    new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());
  const [a, b] = [text('a'), text('b')];
  const leaves = [sha256(Uint8Array.of(0), a), sha256(Uint8Array.of(0), b)];
  expect(merkleRoot([a, b])).toEqual(sha256(Uint8Array.of(1), ...leaves));
});

test('grows to the root that the definition gives, at every size up to 130', () => {
  const leaves = Array.from({ length: 130 }, (_, i) => text(`leaf ${i}`));
  const tree = new TreeHasher();
  for (const [i, leaf] of leaves.entries()) {
    tree.append(leafHash(leaf));
    expect(tree.size).toBe(i + 1);
    expect(tree.root()).toEqual(rootByDefinition(leaves.slice(0, i + 1)));
  }
});

test('goes on from its compact range as if it had never stopped', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 40 }),
      fc.nat(40),
      (leaves, at) => {
        const before = new TreeHasher();
        for (const leaf of leaves.slice(0, at)) before.append(leafHash(leaf));
        const after = new TreeHasher(before.size, before.compactRange());
        for (const leaf of leaves.slice(at)) after.append(leafHash(leaf));
        expect(after.root()).toEqual(rootByDefinition(leaves));
      },
    ),
    { seed: 6962, numRuns: 200 },
  );
});

test('is not changed through what it was given or gave out', () => {
  const tree = new TreeHasher();
  const leaf = Buffer.from(leafHash(text('a'))); // a Buffer, whose slice() would share memory
  tree.append(leaf);
  const root = tree.root();
  leaf.fill(0);
  for (const hash of tree.compactRange()) hash.fill(0);
  tree.root().fill(0);
  expect(tree.root()).toEqual(root);
});

test.each([
  [3, 1],
  [0, 1],
  [-1, 0],
  [1.5, 1],
])('refuses size %s with a compact range of %s', (size, length) => {
  const range = Array.from({ length }, () => new Uint8Array(32));
  expect(() => new TreeHasher(size, range)).toThrow(RangeError);
});

test('refuses a leaf hash of another length', () => {
  expect(() => new TreeHasher().append(new Uint8Array(31))).toThrow(RangeError);
});
