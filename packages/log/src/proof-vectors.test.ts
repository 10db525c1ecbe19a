import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyConsistency, verifyInclusion } from './proof.ts';

const { CONSILIUM_SHARED } = process.env;
const shared = CONSILIUM_SHARED ?? join(import.meta.dirname, '../../../../shared');
const merkle = join(shared, 'vectors/merkle/testdata');

describe.skipIf(!existsSync(merkle))('the 196 proofs, good and corrupted (shared vectors)', () => {
  const files = existsSync(merkle)
    ? readdirSync(merkle, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.json'))
    : [];
  const read = (file: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(merkle, file), 'utf8'));
  const bytes = (text: unknown): Uint8Array =>
    new Uint8Array(Buffer.from(String(text ?? ''), 'base64'));
  const hashes = (texts: unknown): Uint8Array[] => (Array.isArray(texts) ? texts : []).map(bytes);

  test('are there, and twelve of them are good', () => {
    expect(files).toHaveLength(196);
    expect(files.filter((file) => read(file)['wantErr'] === false)).toHaveLength(12);
  });

  test('of inclusion are answered as they say', () => {
    const wrong = files.filter((file) => {
      if (!file.startsWith('inclusion')) return false;
      const { leafIdx, treeSize, leafHash, root, proof, wantErr } = read(file);
      const [index, size] = [Number(leafIdx), Number(treeSize)];
      const claim = { index, size, leafHash: bytes(leafHash), root: bytes(root) };
      return verifyInclusion({ ...claim, proof: hashes(proof) }) === wantErr;
    });
    expect(wrong).toEqual([]);
  });

  test('of consistency are answered as they say', () => {
    const wrong = files.filter((file) => {
      if (!file.startsWith('consistency')) return false;
      const { size1, size2, root1, root2, proof, wantErr } = read(file);
      const sizes = { size1: Number(size1), size2: Number(size2) };
      const claim = { ...sizes, root1: bytes(root1), root2: bytes(root2) };
      return verifyConsistency({ ...claim, proof: hashes(proof) }) === wantErr;
    });
    expect(wrong).toEqual([]);
  });
});
