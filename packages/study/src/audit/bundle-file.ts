import { open } from 'node:fs/promises';
import type { BundleBytes } from './bundle.ts';

/** An audit bundle that lies in a file, open for reading until it is disposed of. */
export type BundleFile = BundleBytes & AsyncDisposable;

/** Opens a file; whether it is a bundle is seen later. @throws the operating system's error. */
export async function openBundleFile(path: string): Promise<BundleFile> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return {
      size,
      async read(offset, length) {
        // Its own memory, and not filled with zeros before it is filled with the file.
        const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
        for (let done = 0; done < length; ) {
          const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) throw new RangeError(`${path} became shorter while it was read`);
          done += bytesRead;
        }
        return bytes;
      },
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
