import { createCipheriv, createHash } from 'node:crypto';
import type { RandomBytes } from '@consilium/weights';

/** Bytes that look random and depend on the key alone: AES-256 in counter mode. For tests, so that they can be repeated. */
export function seededBytes(...key: readonly (string | number)[]): RandomBytes {
  const digest = createHash('sha256').update(key.join('\u0000')).digest();
  const cipher = createCipheriv('aes-256-ctr', digest, Buffer.alloc(16));
  return (count) => new Uint8Array(cipher.update(Buffer.alloc(count)));
}
