import { createHash } from 'node:crypto';
import type { BlobStore } from '@consilium/log';
import {
  type BlobReply,
  chunkCount,
  chunkLength,
  decodeBlobRequest,
  encodeBlobMessage,
} from './blob-message.ts';
import { PROTOCOL_LIMITS } from './limits.ts';
import type { Answers } from './serve.ts';

/** Protocol id of the exchange of blobs. */
export const BLOB_PROTOCOL = '/consilium/blob/1';

// One list is at most 16 KiB; a study has a payload per site and round, of which the newest are asked for.
const REMEMBERED_LISTS = 64;

/** The serving side of `blob`: what the chunks of a blob are, and the chunks. */
export function createBlobAnswers(blobs: BlobStore): Answers {
  const lists = new Map<string, Promise<BlobReply>>();

  const describe = (digest: string): Promise<BlobReply> => {
    const known = lists.get(digest);
    if (known !== undefined) {
      return known;
    }
    const made = describeBlob(blobs, digest).then(
      (reply) => {
        if (reply.type === 'absent') {
          lists.delete(digest);
        }
        return reply;
      },
      (error: unknown) => {
        lists.delete(digest);
        throw error;
      },
    );
    lists.set(digest, made);
    const [oldest] = lists.keys();
    if (lists.size > REMEMBERED_LISTS && oldest !== undefined) {
      lists.delete(oldest);
    }
    return made;
  };

  return async function* answer(requests) {
    for await (const bytes of requests) {
      const request = decodeBlobRequest(bytes);
      const digest = Buffer.from(request.digest).toString('hex');
      const reply =
        request.type === 'open'
          ? await describe(digest)
          : await readChunk(blobs, digest, request.index);
      yield encodeBlobMessage(reply);
    }
  };
}

async function describeBlob(blobs: BlobStore, digest: string): Promise<BlobReply> {
  const size = await blobs.size(digest);
  if (size === undefined || size > PROTOCOL_LIMITS.blobBytes) {
    return { type: 'absent' };
  }
  const chunks: Uint8Array[] = [];
  for (let index = 0; index < chunkCount(size); index += 1) {
    const reply = await readChunk(blobs, digest, index);
    if (reply.type !== 'bytes') {
      return { type: 'absent' };
    }
    chunks.push(createHash('sha256').update(reply.bytes).digest());
  }
  return { type: 'blob', size, chunks };
}

async function readChunk(blobs: BlobStore, digest: string, index: number): Promise<BlobReply> {
  const size = await blobs.size(digest);
  if (size === undefined || index >= chunkCount(size)) {
    return { type: 'absent' };
  }
  const length = chunkLength(size, index);
  const bytes = await blobs.readRange(digest, index * PROTOCOL_LIMITS.chunkBytes, length);
  // Shorter when the file was damaged since: what is there is not the blob.
  return bytes === undefined || bytes.length !== length
    ? { type: 'absent' }
    : { type: 'bytes', index, bytes };
}
