import { encodeCheckpoint, type LogSigner, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { openCosignature, type WitnessSigner } from './cosignature.ts';
import { consistencyProof } from './proof.ts';
import { testLog, testSeed, testVerify, testWitness } from './test-signer.ts';
import { leafHash, TreeHasher } from './tree.ts';
import {
  type CosignAnswer,
  type CosignRequest,
  createWitness,
  type Witness,
  type WitnessStore,
} from './witness.ts';

export const log: LogSigner = testLog('hospital.example/log', testSeed(3));
export const otherLog: LogSigner = testLog('other.example/log', testSeed(4));
export const witnessKey: WitnessSigner = testWitness('witness.example', testSeed(5));

/** The story that an author tells under that number: the same as story 0 for its first `shared` leaves, another one from there on. */
export function story(number: number, shared: number, length: number): Uint8Array[] {
  return Array.from({ length }, (_, i) => leafHash(Uint8Array.of(i < shared ? 0 : number, i)));
}

/** The root of the first `size` leaves. */
function rootOf(leaves: readonly Uint8Array[], size: number): Uint8Array {
  const tree = new TreeHasher();
  for (const leaf of leaves.slice(0, size)) tree.append(leaf);
  return tree.root();
}

/** The checkpoint's note over the first `size` leaves. */
export function checkpointOf(
  leaves: readonly Uint8Array[],
  size: number,
  signer: LogSigner = log,
): Uint8Array {
  return encodeCheckpoint(signCheckpoint({ size, root: rootOf(leaves, size) }, signer));
}

/** What an honest author asks with. */
export function requestOf(
  leaves: readonly Uint8Array[],
  oldSize: number,
  size: number,
  signer: LogSigner = log,
): CosignRequest {
  const proof =
    oldSize === 0 || oldSize > size ? [] : consistencyProof(leaves.slice(0, size), oldSize);
  return { oldSize, proof, checkpoint: checkpointOf(leaves, size, signer) };
}

/** A disk for one witness after another, with the power to fail. */
export interface TestStore extends WitnessStore {
  readonly notes: Map<string, Uint8Array>;
  /** What happens at the next put: it fails and nothing is written, or it fails and is written all the same. */
  failNext: 'before' | 'after' | null;
}

export function testStore(): TestStore {
  const notes = new Map<string, Uint8Array>();
  const store: TestStore = {
    notes,
    failNext: null,
    get: async (origin) => notes.get(origin),
    async put(origin, note) {
      const failure = store.failNext;
      store.failNext = null;
      await Promise.resolve();
      if (failure === 'before') throw new Error('the power went');
      notes.set(origin, note);
      if (failure === 'after') throw new Error('the power went');
    },
  };
  return store;
}

/** A witness of both logs, whose clock goes one second further with every look. */
export function testWitnessOn(store: WitnessStore, signer: WitnessSigner = witnessKey): Witness {
  let seconds = 1_700_000_000;
  return createWitness({
    store,
    signer,
    verify: testVerify,
    logKey: (origin) => [log, otherLog].find(({ name }) => name === origin),
    nowSeconds: () => {
      seconds += 1;
      return seconds;
    },
  });
}

/** The size that was cosigned, after its cosignature was verified; `undefined` for every other answer. */
export function cosignedSize(
  answer: CosignAnswer,
  { checkpoint }: CosignRequest,
  signer: LogSigner = log,
): number | undefined {
  if (answer.status !== 'cosigned') return undefined;
  const opened = openCheckpoint(checkpoint, signer, testVerify);
  openCosignature(opened, answer.cosignature, witnessKey, testVerify);
  return opened.size;
}
