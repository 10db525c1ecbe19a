import { weightedMean } from '@consilium/averaging';
import { emptyRoot, leafHash, merkleRoot, nodeHash, openLogStore } from '@consilium/log';
import {
  decodeCanonical,
  decodeEnvelope,
  encodeCanonical,
  logPlaceOf,
  pae,
  publicKeyOf,
  type VerifiedRecord,
} from '@consilium/records';
import { replay } from '@consilium/study';
import { weightsDigest } from '@consilium/weights';
import { MemoryLevel } from 'memory-level';
import { diagnostic, fieldLines, hex, hexLines } from './hex.ts';
import { answerSignatureExample } from './query-examples.ts';
import { SampleStudy, sha256 } from './sample-study.ts';
import { cosignedNoteExample, witnessMessages } from './witness-examples.ts';

/** The text of every worked example in the specifications, computed by the code that the page is about. */
export async function workedExamples(): Promise<ReadonlyMap<string, string>> {
  return new Map<string, string>([
    ['pae', paeExample()],
    ['envelope', envelopeExample()],
    ['manifest', recordExample(new SampleStudy().manifest)],
    ['update', recordExample(new SampleStudy().update(2, 1, [1, -2, 3, 0, 127]))],
    ['reserve', recordExample(new SampleStudy().reserve(2))],
    ['evaluation', recordExample(new SampleStudy().evaluation(2))],
    ['merkle', merkleExample()],
    ['store', await storeExample()],
    ['layout', layoutExample()],
    ['payload', payloadExample()],
    ['weights-digest', weightsDigestExample()],
    ['mean', meanExample()],
    ['state', await stateExample()],
    ['summary', summaryExample()],
    ['sync', syncExample()],
    ['blob', blobExample()],
    ['cosigned-note', cosignedNoteExample()],
    ['witness', framed(witnessMessages())],
    ['answer-signature', answerSignatureExample()],
  ]);
}

/** The example messages of the network's protocols, by the page that shows them. */
export function networkMessages(): {
  summary: Uint8Array;
  sync: Record<'read' | 'entries' | 'fork' | 'proof', Uint8Array>;
  blob: Record<'open' | 'blob' | 'chunk' | 'bytes' | 'absent', Uint8Array>;
} {
  const study = new SampleStudy();
  const { record, id, leaf } = study.manifest;
  const blob = study.payload([1, -2, 3, 0, 127], 8);
  const digest = new Uint8Array(sha256(blob));
  const head = { author: record.author, size: 1, root: merkleRoot([leaf]), last: id };
  return {
    summary: encodeCanonical({ type: 'summary', heads: [head], forks: [] }),
    sync: {
      read: encodeCanonical({ type: 'read', author: record.author, from: 1, count: 256 }),
      entries: encodeCanonical({ type: 'entries', entries: [] }),
      fork: encodeCanonical({ type: 'fork', author: record.author }),
      proof: encodeCanonical({ type: 'proof', entries: [] }),
    },
    blob: {
      open: encodeCanonical({ type: 'open', digest }),
      blob: encodeCanonical({ type: 'blob', size: blob.length, chunks: [digest] }),
      chunk: encodeCanonical({ type: 'chunk', digest, index: 0 }),
      bytes: encodeCanonical({ type: 'bytes', index: 0, bytes: blob }),
      absent: encodeCanonical({ type: 'absent' }),
    },
  };
}

function paeExample(): string {
  const bytes = pae('application/vnd.consilium.x+cbor', Uint8Array.of(0xa0));
  return [
    'type     application/vnd.consilium.x+cbor',
    'payload  a0',
    'PAE      DSSEv1 32 application/vnd.consilium.x+cbor 1 \\xa0',
    ...hexLines(bytes).map((line, i) => `${i === 0 ? 'bytes    ' : '         '}${line}`),
    `SHA-256  ${hex(sha256(bytes))}`,
  ].join('\n');
}

function envelopeExample(): string {
  const study = new SampleStudy();
  const { secretKey } = study.key(2);
  const { envelope, id } = study.update(2, 1, [1, -2, 3, 0, 127]);
  const { payloadType, payload, signature, signer } = decodeEnvelope(envelope);
  return [
    `signer       ${signer}`,
    `payloadType  ${payloadType}`,
    '',
    fieldLines([
      ['seed', secretKey.subarray(0, 32)],
      ['public key', publicKeyOf(signer)],
      ['payload', payload],
      ['record id', id],
      ['signature', signature],
      ['envelope', envelope],
    ]),
  ].join('\n');
}

function recordExample({ envelope, id }: VerifiedRecord): string {
  const { payload } = decodeEnvelope(envelope);
  return [
    diagnostic(decodeCanonical(payload)),
    '',
    fieldLines([
      ['payload', payload],
      ['record id', id],
    ]),
  ].join('\n');
}

function merkleExample(): string {
  const leaves = ['a', 'b', 'c'].map((text) => new TextEncoder().encode(text));
  const [a, b, c] = leaves.map(leafHash) as [Uint8Array, Uint8Array, Uint8Array];
  const ab = nodeHash(a, b);
  return fieldLines([
    ['root of nothing', emptyRoot()],
    ['leaf "a"', a],
    ['leaf "b"', b],
    ['leaf "c"', c],
    ['root of a', merkleRoot(leaves.slice(0, 1))],
    ['root of a, b', ab],
    ['root of a, b, c', nodeHash(ab, c)],
  ]);
}

async function storeExample(): Promise<string> {
  const study = new SampleStudy();
  const level = new MemoryLevel<string, Uint8Array>({ valueEncoding: 'view' });
  const log = await openLogStore(level, logPlaceOf);
  await log.append(study.manifest.envelope);
  await log.append(study.update(1, 1, [1, 1, 1, 1, 1]).envelope);
  await log.append(study.update(1, 1, [2, 2, 2, 2, 2], 1).envelope);
  await log.close();
  const lines: string[] = [];
  for await (const [key, value] of level.iterator({ keyEncoding: 'utf8', valueEncoding: 'view' })) {
    const shown =
      value.length <= 40 ? hex(value) : `${value.length} bytes ${hex(value.subarray(0, 12))}…`;
    lines.push(`${key}\n    ${shown}`);
  }
  return lines.join('\n');
}

function layoutExample(): string {
  const { layout } = new SampleStudy();
  return [
    'hashed   consilium/layout/1\\n',
    `         ${JSON.stringify(layout.tensors.map(({ name, shape }) => [name, shape]))}`,
    `digest   ${layout.digest}`,
    ...layout.tensors.map(
      ({ name, offset, length }) => `${name}: values ${offset}…${offset + length - 1}`,
    ),
  ].join('\n');
}

function payloadExample(): string {
  const bytes = new SampleStudy().payload([1, -2, 3, 0, 127], 8);
  return [
    fieldLines([
      ['magic', bytes.subarray(0, 4)],
      ['version', bytes.subarray(4, 5)],
      ['bits', bytes.subarray(5, 6)],
      ['zero', bytes.subarray(6, 8)],
      ['tensors', bytes.subarray(8, 12)],
      ['values', bytes.subarray(12, 16)],
      ['layout digest', bytes.subarray(16, 48)],
      ['exponents', bytes.subarray(48, 50)],
      ['padding', bytes.subarray(50, 52)],
      ['integers', bytes.subarray(52)],
    ]),
    '',
    `${bytes.length} bytes, SHA-256 ${hex(sha256(bytes))}`,
  ].join('\n');
}

function weightsDigestExample(): string {
  const { layout } = new SampleStudy();
  const grid = Int32Array.of(1000, -2000, 3000, 0, 5);
  return [
    fieldLines([
      ['consilium/weights/1\\n', new TextEncoder().encode('consilium/weights/1\n')],
      ['layout digest', Buffer.from(layout.digest, 'hex')],
      ['grid exponent', Uint8Array.of(0xec)],
      ['1000', littleEndian(1000)],
      ['-2000', littleEndian(-2000)],
      ['3000', littleEndian(3000)],
      ['0', littleEndian(0)],
      ['5', littleEndian(5)],
    ]),
    '',
    `digest  ${weightsDigest(layout, -20, grid)}`,
  ].join('\n');
}

function meanExample(): string {
  const updates = [
    [1, -2, 3, 0, 5],
    [3, 2, -3, 2, 0],
  ] as const;
  const weights = [30, 10] as const;
  const mean = weightedMean(
    updates.map((update, i) => ({ weight: weights[i] as number, update: Int32Array.from(update) })),
  );
  const ties = [-3, -1, 1, 3, 5].map((n) => `${n}/2 → ${half(n)}`);
  return [
    ...updates.map((update, i) => `weight ${weights[i]}  ${update.join(' ')}`),
    `sum        ${updates[0].map((value, i) => 30 * value + 10 * (updates[1][i] as number)).join(' ')}`,
    `mean       ${mean.join(' ')}`,
    '',
    `ties       ${ties.join(', ')}`,
  ].join('\n');
}

/** n/2 as the mean of n and 0 with equal weights. */
function half(n: number): number {
  const [mean = 0] = weightedMean(
    [n, 0].map((value) => ({ weight: 1, update: Int32Array.of(value) })),
  );
  return mean;
}

async function stateExample(): Promise<string> {
  const study = new SampleStudy();
  const records = [study.manifest];
  const lines: string[] = [];
  const show = async (what: string): Promise<void> => {
    const state = await replay(study.manifest.id, records, {
      get: async (digest) => study.blobs.get(digest),
    });
    lines.push(
      what,
      `  weights  ${state.weights.join(' ')}`,
      `  digest   ${state.digest}`,
      ...state.heads.map(
        ({ author, size, root }) => `  head     …${author.slice(-6)} ${size} ${root}`,
      ),
      ...state.findings.map(
        ({ code, site, index }) => `  finding  ${code} …${site?.slice(-6)} ${index}`,
      ),
    );
  };
  await show('the manifest alone');
  records.push(study.update(1, 1, [1, -2, 3, 0, 5]));
  await show('site 1 (weight 30) gives round 1');
  records.push(study.update(2, 1, [3, 2, -3, 2, 0]));
  await show('site 2 (weight 10) gives round 1');
  records.push(study.update(2, 2, [100, 100, 100, 100, 100]));
  await show('site 2 gives round 2, alone');
  records.push(study.update(2, 2, [1, 1, 1, 1, 1], 1));
  await show('site 2 signs another record for index 1: a fork');
  return lines.join('\n');
}

function summaryExample(): string {
  const { summary } = networkMessages();
  return [diagnostic(decodeCanonical(summary)), '', fieldLines([['bytes', summary]])].join('\n');
}

function syncExample(): string {
  return framed(networkMessages().sync);
}

function blobExample(): string {
  return framed(networkMessages().blob);
}

/** Messages behind their length, as they go over a stream. */
function framed(messages: Readonly<Record<string, Uint8Array>>): string {
  return fieldLines(
    Object.entries(messages).map(([name, bytes]) => {
      const prefix = new Uint8Array(4);
      new DataView(prefix.buffer).setUint32(0, bytes.length);
      return [name, Buffer.concat([prefix, bytes])] as const;
    }),
  );
}

function littleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
