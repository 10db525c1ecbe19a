import { expect, test } from 'vitest';
import { decodeCanonical, encodeCanonical } from './canonical-cbor.ts';
import { decodeEnvelope, MAX_ENVELOPE_BYTES } from './envelope.ts';
import { RecordError } from './error.ts';
import {
  testEquivocation,
  testEvaluation,
  testKey,
  testManifest,
  testUnknown,
  testUpdate,
} from './fixtures.ts';
import { openRecord, signRecord } from './signed-record.ts';

const key = testKey(1);
const envelopes = [
  testManifest(key),
  testUpdate(key),
  testEvaluation(key),
  testEquivocation(key),
  testUnknown(key),
].map((draft) => signRecord(key, draft));
const otherSigners = [2, 3, 4].map((n) => testKey(n).id);

/** Deterministic 32-bit numbers (mulberry32): a failure names the seed that brings it back. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Mutation = (bytes: Uint8Array, random: (below: number) => number) => Uint8Array;

const mutations: Record<string, Mutation> = {
  'a flipped bit': (bytes, random) => {
    const copy = new Uint8Array(bytes);
    const at = random(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << random(8));
    return copy;
  },
  'several other bytes': (bytes, random) => {
    const copy = new Uint8Array(bytes);
    for (let i = 0; i <= random(8); i += 1) copy[random(copy.length)] = random(256);
    return copy;
  },
  'a piece cut out': (bytes, random) => {
    const [from, length] = [random(bytes.length), 1 + random(40)];
    return Uint8Array.of(...bytes.slice(0, from), ...bytes.slice(from + length));
  },
  'a piece doubled': (bytes, random) => {
    const [from, length] = [random(bytes.length), 1 + random(40)];
    return Uint8Array.of(...bytes.slice(0, from + length), ...bytes.slice(from));
  },
  'bytes put in': (bytes, random) => {
    const from = random(bytes.length);
    const more = Array.from({ length: 1 + random(12) }, () => random(256));
    return Uint8Array.of(...bytes.slice(0, from), ...more, ...bytes.slice(from));
  },
  'CBOR heads put in': (bytes, random) => {
    const heads = [
      0x9f, 0xbf, 0x5f, 0x7f, 0xff, 0x9b, 0xbb, 0x5b, 0x7b, 0xd8, 0xdb, 0xf7, 0xfb, 0x81,
    ];
    const copy = new Uint8Array(bytes);
    for (let i = 0; i <= random(3); i += 1)
      copy[random(copy.length)] = heads[random(heads.length)] ?? 0;
    return copy;
  },
  'two records spliced': (bytes, random) => {
    const other = envelopes[random(envelopes.length)] ?? bytes;
    return Uint8Array.of(
      ...bytes.slice(0, random(bytes.length)),
      ...other.slice(random(other.length)),
    );
  },
  'a field of the body changed, well-formed': (bytes, random) => {
    const { signature, payloadType, signer, payload } = decodeEnvelope(bytes);
    const record = decodeCanonical(payload);
    const changed = encodeCanonical({ ...Object(record), index: 2 + random(1000) });
    return encodeCanonical({ payloadType, signer, signature, payload: changed });
  },
  'a field of the envelope changed, well-formed': (bytes, random) => {
    const envelope = decodeEnvelope(bytes);
    const swaps = [
      { signature: Uint8Array.from({ length: 64 }, () => random(256)) },
      { signer: otherSigners[random(otherSigners.length)] },
      { payloadType: `application/vnd.consilium.k${random(99)}+cbor` },
      { payload: Uint8Array.from({ length: random(300) }, () => random(256)) },
    ];
    return encodeCanonical({ ...envelope, ...swaps[random(swaps.length)] });
  },
};

const RUNS = 2_500;

test.each(Object.entries(mutations))(
  `refuses ${RUNS} envelopes with %s, each with its own error`,
  (name, mutate) => {
    const random = numbers(name.length * 7919);
    const codes = new Map<string, number>();
    for (let run = 0; run < RUNS; run += 1) {
      const original = envelopes[random(envelopes.length)] ?? new Uint8Array();
      const mutated = mutate(original, random);
      if (envelopes.some((envelope) => Buffer.compare(envelope, mutated) === 0)) continue;
      const code = refusalOf(mutated);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect(codes.get('ACCEPTED')).toBeUndefined();
    expect([...codes.values()].reduce((a, b) => a + b, 0)).toBeGreaterThan(RUNS * 0.9);
  },
  20_000,
);

function refusalOf(bytes: Uint8Array): string {
  try {
    openRecord(bytes);
    return 'ACCEPTED';
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return error.code;
  }
}

function filled(byte: number, start: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(MAX_ENVELOPE_BYTES).fill(byte);
  bytes.set(start);
  return bytes;
}

test('takes bounded time over the largest envelopes that are built to be slow', () => {
  const slow = [
    filled(0x81), // lists in lists
    filled(0xa1), // maps as keys of maps
    filled(0x00, [0x9a, 0, 3, 0xff, 0xf0]), // a list as long as the limit
    filled(0x7a, [0x7a, 0, 3, 0xff, 0xfb]), // one long text
    encodeCanonical({
      payload: new Uint8Array(10),
      payloadType: 't',
      signature: new Uint8Array(64),
      signer: 'z'.repeat(MAX_ENVELOPE_BYTES - 200),
    }),
  ];
  const started = process.hrtime.bigint();
  for (const bytes of slow) expect(refusalOf(bytes)).not.toBe('ACCEPTED');
  const elapsedMs = Number(process.hrtime.bigint() - started) / 1e6;
  expect(elapsedMs).toBeLessThan(2_000);
});
