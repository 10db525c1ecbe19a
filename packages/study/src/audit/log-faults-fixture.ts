import { decodeCanonical, encodeCanonical, siteIdOf } from '@consilium/records';
import type { Forgery } from './archive-fixture.ts';
import type { AuditStudy } from './audit-fixture.ts';
import { logFileName } from './bundle-index.ts';
import {
  changed,
  evaluation,
  type Fault,
  flipped,
  laidOut,
  metrics,
  nothing,
  payload,
  validator,
} from './fault-fixture.ts';
import { decodeLogFile, encodeLogFile } from './log-file.ts';

/** Changes the envelopes in one log of a bundle. */
function inLog(
  site: number,
  edit: (envelopes: Uint8Array[]) => Uint8Array[],
): (forgery: Forgery, study: AuditStudy) => void {
  return ({ files }, study) => {
    const name = logFileName(study.key(site).id);
    files.set(name, encodeLogFile(edit(decodeLogFile(files.get(name) as Uint8Array))));
  };
}

function lastSignature(edit: (signature: Uint8Array) => Uint8Array) {
  return inLog(validator, (envelopes) => {
    const last = envelopes.at(-1) as Uint8Array;
    const { signature, ...rest } = decodeCanonical(last) as { signature: Uint8Array };
    return [...envelopes.slice(0, -1), encodeCanonical({ ...rest, signature: edit(signature) })];
  });
}

const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The same signature with S + L for S: the curve equation still holds. */
function malleated(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`);
  const hex = (s + groupOrder).toString(16).padStart(64, '0');
  return new Uint8Array(
    Buffer.concat([signature.subarray(0, 32), Buffer.from(hex, 'hex').reverse()]),
  );
}

/** A record under the identity point, with a signature that plain verification accepts for whatever is said. */
function underIdentity(study: AuditStudy): Uint8Array {
  const author = siteIdOf(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)));
  const record = {
    kind: 'evaluation',
    version: 1,
    study: study.study,
    author,
    index: 0,
    previous: null,
    heads: [],
    body: {},
  };
  const signature = Uint8Array.from({ length: 64 }, (_, i) => (i === 0 ? 1 : 0));
  const payloadType = 'application/vnd.consilium.evaluation+cbor';
  return encodeCanonical({
    payloadType,
    payload: encodeCanonical(record),
    signature,
    signer: author,
  });
}

/** For tests: records that are not what they must be, or not where. */
export const logFaults: readonly Fault[] = [
  {
    name: 'a signature with one bit changed',
    codes: ['BAD_SIGNATURE', 'WRONG_HEADS'],
    make: changed(
      nothing,
      lastSignature((signature) => flipped(signature, 40)),
    ),
  },
  {
    name: 'a signature in a second form, S + L',
    codes: ['MALLEATED_SIGNATURE', 'WRONG_HEADS'],
    make: changed(nothing, lastSignature(malleated)),
  },
  {
    name: 'a record under the identity key',
    codes: ['UNSAFE_KEY'],
    make: changed(nothing, (forgery, study) =>
      inLog(validator, (envelopes) => [...envelopes, underIdentity(study)])(forgery, study),
    ),
  },
  {
    name: 'bytes that are no record',
    codes: ['BAD_RECORD'],
    make: changed(
      nothing,
      inLog(validator, (envelopes) => [...envelopes, Uint8Array.of(0xa0)]),
    ),
  },
  {
    name: 'a record of a kind that nobody knows',
    codes: ['UNKNOWN_KIND'],
    make: changed((study) => study.sign(validator, { kind: 'weather', body: 'fair' })),
  },
  {
    name: 'a record taken out of the middle of a log',
    codes: ['GAP', 'WRONG_HEADS'],
    make: changed(
      nothing,
      inLog(validator, (envelopes) => envelopes.slice(1)),
    ),
  },
  {
    name: 'the last record cut off',
    codes: ['GAP', 'WRONG_HEADS'],
    make: changed(
      nothing,
      inLog(validator, (envelopes) => envelopes.slice(0, -1)),
    ),
  },
  {
    name: 'a record that stands twice',
    codes: ['REPLAYED_RECORD'],
    make: changed(
      nothing,
      inLog(validator, (envelopes) => [...envelopes, envelopes[0] as Uint8Array]),
    ),
  },
  {
    name: 'a record of another study, in its place in the chain',
    codes: ['FOREIGN_RECORD'],
    make: changed((study) =>
      study.sign(validator, evaluation(2), { study: new Uint8Array(32).fill(7) }),
    ),
  },
  {
    name: 'an update of a round that the site has given before',
    codes: ['ROUND_REPEATED'],
    make: changed(async (study) =>
      study.give(
        1,
        2,
        await study.state(1),
        payload(study, () => 5),
      ),
    ),
  },
  {
    name: 'two records for one place',
    codes: ['FORK'],
    make: laidOut((parts, study) => {
      const { id } = study.key(validator);
      const first = parts.logs.get(id)?.[1] as Uint8Array;
      const second = study.sign(validator, evaluation(1), {
        index: 1,
        previous: new Uint8Array(32).fill(1),
      });
      return { ...parts, forks: new Map([[id, [first, second.envelope]]]) };
    }),
  },
  {
    name: 'a record that does not name the one before it',
    codes: ['BROKEN_CHAIN'],
    make: laidOut((parts, study) => {
      const { id } = study.key(validator);
      const log = parts.logs.get(id) ?? [];
      const { envelope } = study.sign(validator, evaluation(1), {
        index: log.length,
        previous: new Uint8Array(32).fill(1),
      });
      return { ...parts, logs: new Map([...parts.logs, [id, [...log, envelope]]]) };
    }),
  },
  {
    name: 'a record made from another log than the one that is shown',
    codes: ['HEADS_DIFFER'],
    make: changed(async (study) => {
      const { heads, digest } = await study.state(validator);
      const other = heads.map((head, i) => (i === 0 ? { ...head, root: '77'.repeat(32) } : head));
      const body = { round: 2, state: Buffer.from(digest, 'hex'), patients: 5, metrics };
      study.say(validator, { kind: 'evaluation', body }, other);
    }),
  },
];
