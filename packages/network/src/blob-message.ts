import { PROTOCOL_LIMITS } from './limits.ts';
import {
  byteString,
  digest,
  integer,
  list,
  malformed,
  onlyKeys,
  readFields,
  writeFields,
} from './message-fields.ts';

const MAX_CHUNKS = PROTOCOL_LIMITS.blobBytes / PROTOCOL_LIMITS.chunkBytes;

/** Asks whether the peer has a blob, and what its chunks are. */
export interface OpenRequest {
  type: 'open';
  /** SHA-256 of the blob. */
  digest: Uint8Array;
}

/** Asks for one chunk, counted from 0. */
export interface ChunkRequest {
  type: 'chunk';
  digest: Uint8Array;
  index: number;
}

/** The size in bytes and the SHA-256 of each chunk of 512 KiB, the last one shorter. */
export interface BlobAnswer {
  type: 'blob';
  size: number;
  chunks: readonly Uint8Array[];
}

/** The bytes of one chunk. */
export interface BytesAnswer {
  type: 'bytes';
  index: number;
  bytes: Uint8Array;
}

/** The peer does not have the blob, or that chunk. */
export interface AbsentAnswer {
  type: 'absent';
}

export type BlobRequest = OpenRequest | ChunkRequest;
export type BlobReply = BlobAnswer | BytesAnswer | AbsentAnswer;

/** How many chunks a blob of `size` bytes has. */
export function chunkCount(size: number): number {
  return Math.ceil(size / PROTOCOL_LIMITS.chunkBytes);
}

/** How many bytes chunk `index` of a blob of `size` bytes has. */
export function chunkLength(size: number, index: number): number {
  return Math.min(PROTOCOL_LIMITS.chunkBytes, size - index * PROTOCOL_LIMITS.chunkBytes);
}

/** Canonical bytes. */
export function encodeBlobMessage(message: BlobRequest | BlobReply): Uint8Array {
  return writeFields(message);
}

/** @throws {NetworkError} `FRAME_TOO_LARGE`, `FRAME_MALFORMED`. */
export function decodeBlobRequest(bytes: Uint8Array): BlobRequest {
  const fields = readFields(bytes, PROTOCOL_LIMITS.requestBytes);
  switch (fields['type']) {
    case 'open':
      onlyKeys(fields, ['type', 'digest']);
      return { type: 'open', digest: digest(fields['digest']) };
    case 'chunk':
      onlyKeys(fields, ['type', 'digest', 'index']);
      return {
        type: 'chunk',
        digest: digest(fields['digest']),
        index: integer(fields['index'], 0, MAX_CHUNKS - 1),
      };
    default:
      throw malformed('not a request of the blob protocol');
  }
}

/** @throws {NetworkError} `FRAME_TOO_LARGE`, `FRAME_MALFORMED`. */
export function decodeBlobReply(bytes: Uint8Array): BlobReply {
  const fields = readFields(bytes, PROTOCOL_LIMITS.blobFrameBytes);
  switch (fields['type']) {
    case 'blob': {
      onlyKeys(fields, ['type', 'size', 'chunks']);
      const size = integer(fields['size'], 0, PROTOCOL_LIMITS.blobBytes);
      const chunks = list(fields['chunks'], MAX_CHUNKS).map(digest);
      if (chunks.length !== chunkCount(size)) {
        throw malformed('the number of chunks does not follow from the size');
      }
      return { type: 'blob', size, chunks };
    }
    case 'bytes':
      onlyKeys(fields, ['type', 'index', 'bytes']);
      return {
        type: 'bytes',
        index: integer(fields['index'], 0, MAX_CHUNKS - 1),
        bytes: byteString(fields['bytes'], 1, PROTOCOL_LIMITS.chunkBytes),
      };
    case 'absent':
      onlyKeys(fields, ['type']);
      return { type: 'absent' };
    default:
      throw malformed('not an answer of the blob protocol');
  }
}
