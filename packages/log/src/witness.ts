import {
  encodeCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  type VerifiedCheckpoint,
} from './checkpoint.ts';
import { bareNote } from './contradiction.ts';
import { cosign, type WitnessSigner } from './cosignature.ts';
import { LogError } from './error.ts';
import { verifyConsistency } from './proof.ts';
import { type LogKey, type NoteSignature, parseNote, type Verify } from './signed-note.ts';
import { createTurns } from './turns.ts';
import { contradicts, type SplitView } from './witness-split-view.ts';

/**
 * What a witness must not forget. Of one store there may be one witness at a time. A store that lost what was put makes its
 * witness break its word unknowingly: a witness whose store is lost or restored from a copy needs a new key.
 */
export interface WitnessStore {
  /** The note that was last put for a log; `undefined` if none ever was. */
  get(origin: string): Promise<Uint8Array | undefined>;
  /** Puts a note in its place; when the promise resolves, it survives a power cut. When it rejects, either note may be there. */
  put(origin: string, note: Uint8Array): Promise<void>;
}

/** What a witness works with. */
export interface WitnessComponents {
  readonly store: WitnessStore;
  readonly signer: WitnessSigner;
  readonly verify: Verify;
  /** The key of the log with that origin; `undefined` for logs that are not watched. */
  readonly logKey: (origin: string) => LogKey | undefined;
  /** Whole seconds since 1970-01-01T00:00Z. */
  readonly nowSeconds: () => number;
}

/** Asks for a cosignature. Everything in it comes from a stranger. */
export interface CosignRequest {
  /** Size of the log's checkpoint that the witness last cosigned, as the asker believes; 0 for none. */
  readonly oldSize: number;
  /** Consistency proof from `oldSize` to the checkpoint's size, at most 63 hashes; none from 0. */
  readonly proof: readonly Uint8Array[];
  /** The checkpoint's note. */
  readonly checkpoint: Uint8Array;
}

/**
 * What a witness answers.
 *
 * - `cosigned`: its signature, for the checkpoint's note.
 * - `conflict`: it last cosigned another size than the asker believes, 0 for none: ask again from there.
 * - `split-view`: it cosigned a tree of that size with another root. The log's author broke its log; here is the proof.
 * - `inconsistent`: the proof does not show that this tree grew from the one it last cosigned.
 * - `unknown-log`: it does not watch that log.
 * - `bad-signature`: the checkpoint is not signed by the log.
 * - `malformed`: no checkpoint, or a proof or old size that none can have.
 */
export type CosignAnswer =
  | { readonly status: 'cosigned'; readonly cosignature: NoteSignature }
  | { readonly status: 'conflict'; readonly size: number }
  | { readonly status: 'split-view'; readonly evidence: SplitView }
  | { readonly status: 'inconsistent' | 'unknown-log' | 'bad-signature' | 'malformed' };

/** Watches others' logs, and gives its word that each only grew. */
export interface Witness {
  /**
   * Answers a request. Requests for one log are answered one after the other, in the order of the calls.
   *
   * Guarantee: of all checkpoints of a log that a witness on one store ever cosigned, each grew from the one before; a
   * cosignature is given away only after the store has its checkpoint. When a call rejects, or the process dies, nothing was
   * given away, and the same checkpoint can be asked for again.
   *
   * @throws {LogError} `STORE` when what was stored is damaged or not signed by the log's key: nothing is cosigned then. And whatever the store throws.
   * @throws {RangeError} when the signer or the clock is broken, or `logKey` gives the key of another log.
   * @see https://c2sp.org/tlog-witness
   */
  cosign(request: CosignRequest): Promise<CosignAnswer>;
}

const MAX_CONSISTENCY_HASHES = 63;

/** A witness on its store. */
export function createWitness(components: WitnessComponents): Witness {
  const { store, signer, verify, logKey, nowSeconds } = components;
  const inTurn = createTurns();

  /** The checkpoint of a log that was last cosigned. */
  async function lastCosigned(key: LogKey): Promise<VerifiedCheckpoint | undefined> {
    const note = await store.get(key.name);
    if (note === undefined) return undefined;
    try {
      return openCheckpoint(note, key, verify);
    } catch (cause) {
      // To go on as if nothing were there would be to forget what was signed.
      throw new LogError('STORE', `what was last cosigned of ${key.name} cannot be read`, {
        cause,
      });
    }
  }

  async function answer(
    offered: VerifiedCheckpoint,
    key: LogKey,
    oldSize: number,
    proof: readonly Uint8Array[],
  ): Promise<CosignAnswer> {
    const held = await lastCosigned(key);
    if (held !== undefined && contradicts(held, offered)) {
      const evidence = { first: encodeCheckpoint(held), second: bareNote(offered, key) };
      return { status: 'split-view', evidence };
    }
    const heldSize = held?.size ?? 0;
    if (oldSize !== heldSize) return { status: 'conflict', size: heldSize };
    if (!growsFrom(held, offered, proof)) return { status: 'inconsistent' };
    // Before there is a signature. Also when size and root are the same as before: an earlier put may have failed half way.
    await store.put(key.name, bareNote(offered, key));
    return { status: 'cosigned', cosignature: cosign(offered, signer, nowSeconds()) };
  }

  return {
    async cosign({ oldSize, proof, checkpoint }) {
      const opened = openOffered(checkpoint, logKey, verify);
      if ('status' in opened) return opened;
      const { offered, key } = opened;
      if (!isSize(oldSize) || oldSize > offered.size || !canBeProof(proof)) {
        return { status: 'malformed' };
      }
      const kept = proof.map((hash) => new Uint8Array(hash)); // what is checked later is what came, whatever the caller does meanwhile
      return await inTurn(key.name, () => answer(offered, key, oldSize, kept));
    },
  };
}

type Offered =
  | { readonly offered: VerifiedCheckpoint; readonly key: LogKey }
  | { readonly status: 'malformed' | 'unknown-log' | 'bad-signature' };

function openOffered(
  bytes: Uint8Array,
  logKey: WitnessComponents['logKey'],
  verify: Verify,
): Offered {
  try {
    const { origin } = parseCheckpoint(parseNote(bytes).text);
    const key = logKey(origin);
    if (key === undefined) return { status: 'unknown-log' };
    if (key.name !== origin) throw new RangeError(`${key.name} is not the log ${origin}`);
    return { offered: openCheckpoint(bytes, key, verify), key };
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    return { status: error.code === 'NOTE_SIGNATURE' ? 'bad-signature' : 'malformed' };
  }
}

/** Whether the offered tree grew from the held one, whose size is the proof's old size. */
function growsFrom(
  held: VerifiedCheckpoint | undefined,
  offered: VerifiedCheckpoint,
  proof: readonly Uint8Array[],
): boolean {
  // Every tree grew from the empty one; there is nothing to prove, so that nothing may be sent.
  if (held === undefined || held.size === 0) return proof.length === 0;
  const [size1, root1, size2, root2] = [held.size, held.root, offered.size, offered.root];
  return verifyConsistency({ size1, root1, size2, root2, proof });
}

function isSize(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

function canBeProof(proof: readonly Uint8Array[]): boolean {
  return proof.length <= MAX_CONSISTENCY_HASHES && proof.every(({ length }) => length === 32);
}
