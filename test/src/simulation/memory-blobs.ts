import { createHash } from 'node:crypto';

/** Payloads by their SHA-256 (hex), in memory. */
export class MemoryBlobs {
  readonly #blobs = new Map<string, Uint8Array>();

  async has(digest: string): Promise<boolean> {
    return this.#blobs.has(digest);
  }

  async get(digest: string): Promise<Uint8Array | undefined> {
    return this.#blobs.get(digest);
  }

  async put(bytes: Uint8Array): Promise<string> {
    const digest = createHash('sha256').update(bytes).digest('hex');
    this.#blobs.set(digest, bytes.slice());
    return digest;
  }
}
