import { seeded } from './study-manifest-fixture.ts';

/** For tests: independent standard normal numbers that a seed decides. @see Box and Muller 1958 */
export function normals(seed: string): () => number {
  const random = seeded(seed);
  const uniform = (): number => {
    const bytes = random(4);
    return (new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
