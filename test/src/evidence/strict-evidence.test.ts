import {
  cosign,
  createWitness,
  encodeCheckpoint,
  formatNote,
  noteKeyId,
  openCheckpoint,
  openCosignature,
  openCosignatures,
  openWitnessStore,
  provesSplitView,
  signCheckpoint,
} from '@consilium/log';
import { keyFromSeed, openRecord, pae, sign, signRecord } from '@consilium/records';
import { MemoryLevel } from 'memory-level';
import { expect, test } from 'vitest';
import { logSigner, verify, witnessSigner } from './worked-example.ts';

const seed = new Uint8Array(32).fill(7);
const log = logSigner('hospital.example/log', seed);
const witness = witnessSigner('other.example/witness', new Uint8Array(32).fill(8));
const checkpoint = signCheckpoint({ size: 20, root: new Uint8Array(32).fill(9) }, log);
const refused = expect.objectContaining({ code: 'NOTE_SIGNATURE' });

const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The same signature in its second form, S + L, which lenient verifiers accept. */
function malleated(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.slice(32)).reverse().toString('hex')}`);
  const second = Buffer.from((s + L).toString(16).padStart(64, '0'), 'hex').reverse();
  return Uint8Array.of(...signature.slice(0, 32), ...second);
}

test('a signature has no second form, of a checkpoint or of a cosignature', () => {
  const { text, signatures } = checkpoint.note;
  const [own] = signatures;
  if (own === undefined) throw new TypeError('the log signed');
  const changed = [{ ...own, signature: malleated(own.signature) }];
  const note = formatNote({ text, signatures: changed });
  expect(() => openCheckpoint(note, log, verify)).toThrow(refused);

  const cosignature = cosign(checkpoint, witness, 1_700_000_000);
  const [time, signature] = [cosignature.signature.slice(0, 8), cosignature.signature.slice(8)];
  const second = { ...cosignature, signature: Uint8Array.of(...time, ...malleated(signature)) };
  expect(openCosignature(checkpoint, cosignature, witness, verify)).toMatchObject({
    name: witness.name,
  });
  expect(() => openCosignature(checkpoint, second, witness, verify)).toThrow(refused);
});

test('a key under which everything seems signed cosigns nothing', () => {
  const identity = Uint8Array.of(1, ...new Uint8Array(31));
  const everybody = { type: 'cosignature', name: 'nobody.example', publicKey: identity } as const;
  const forged = {
    name: everybody.name,
    keyId: noteKeyId(everybody),
    signature: Uint8Array.of(...new Uint8Array(8), ...identity, ...new Uint8Array(32)),
  };
  expect(() => openCosignature(checkpoint, forged, everybody, verify)).toThrow(refused);
});

test('one key for records, checkpoints and cosignatures: none passes for another', () => {
  const key = keyFromSeed(seed);
  const self = witnessSigner('hospital.example/witness', seed);
  const envelope = signRecord(key, {
    kind: 'x-note',
    version: 1,
    study: new Uint8Array(32),
    author: key.id,
    index: 0,
    previous: null,
    heads: [],
    known: false,
    body: checkpoint.note.text,
  });
  const { leaf } = openRecord(envelope);
  const cosigned = cosign(checkpoint, self, 1_700_000_000).signature.slice(8);
  const signatures = [sign(leaf, key.secretKey), cosigned];
  const { text } = checkpoint.note;
  for (const signature of signatures) {
    const note = formatNote({
      text,
      signatures: [{ name: log.name, keyId: noteKeyId(log), signature }],
    });
    expect(() => openCheckpoint(note, log, verify)).toThrow(refused);
  }
  // What is signed is told apart by how it begins, before any signature is looked at.
  expect(new TextDecoder().decode(pae('a', leaf)).startsWith('DSSEv1 ')).toBe(true);
  expect(() =>
    signCheckpoint({ size: 20, root: checkpoint.root }, { ...log, name: 'DSSEv1 1 a' }),
  ).toThrow(RangeError);
});

test('three sites: both others cosign, and an author that shows them two stories is found out with proof', async () => {
  const others = [8, 9].map((fill) =>
    witnessSigner(`site-${fill}.example/witness`, new Uint8Array(32).fill(fill)),
  );
  const witnesses = others.map((signer) =>
    createWitness({
      store: openWitnessStore(new MemoryLevel()),
      signer,
      verify,
      logKey: (origin) => (origin === log.name ? log : undefined),
      nowSeconds: () => 1_700_000_000,
    }),
  );
  const ask = async (note: Uint8Array) =>
    Promise.all(witnesses.map((w) => w.cosign({ oldSize: 0, proof: [], checkpoint: note })));

  const answers = await ask(encodeCheckpoint(checkpoint));
  const cosignatures = answers.map((answer) => {
    if (answer.status !== 'cosigned') throw new TypeError(answer.status);
    return answer.cosignature;
  });
  const { text, signatures } = checkpoint.note;
  const note = formatNote({ text, signatures: [...signatures, ...cosignatures] });
  const opened = openCheckpoint(note, log, verify);
  expect(openCosignatures(opened, others, verify).map(({ name }) => name)).toEqual(
    others.map(({ name }) => name),
  );

  const lie = encodeCheckpoint(signCheckpoint({ size: 20, root: new Uint8Array(32).fill(1) }, log));
  for (const answer of await ask(lie)) {
    if (answer.status !== 'split-view') throw new TypeError(answer.status);
    expect(provesSplitView(answer.evidence, log, verify)).toBe(true);
  }
});
