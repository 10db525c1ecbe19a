import {
  approveRosterChange,
  consentToRotation,
  decodeCanonical,
  type EvaluationBody,
  encodeCanonical,
  keyFromSeed,
  siteIdOf,
} from '@consilium/records';
import { decodePayload, encodePayload, weightsDigest } from '@consilium/weights';
import { archive, type Forgery } from './archive-fixture.ts';
import type { AuditFinding } from './audit-finding.ts';
import { AuditStudy, type AuditStudyInit, generousPolicy } from './audit-fixture.ts';
import { checkpointFileName, logFileName, payloadFileName, stateName } from './bundle-index.ts';
import { decodeLogFile, encodeLogFile } from './log-file.ts';
import type { BundleParts } from './plan-bundle.ts';

/** For tests: a way in which a study or a bundle is not what it must be. */
export interface Fault {
  readonly name: string;
  /** Codes that an audit finds, in its order; the first one names the fault, the others follow from it. */
  readonly codes: readonly AuditFinding['code'][];
  make(): Promise<Uint8Array>;
}

/** Three trainers and a validator, two rounds, nothing private. The validator is site 3. */
const open: AuditStudyInit = { seed: 'faults', patients: [20, 30, 50], rounds: 2 };
const validator = 3;
/** Every patient in every step, and one step: then little can be signal, and a shared noise shows. */
const noisy: AuditStudyInit = {
  seed: 'noisy',
  patients: [10, 12],
  rounds: 2,
  steps: 1,
  coordinates: 3_000,
  privacy: { ...generousPolicy, sampleRate: 1 },
};

/** A bundle of an honest study that a forger, or a site at its end, has changed. */
function changed(
  change: (study: AuditStudy) => unknown,
  forge: (forgery: Forgery, study: AuditStudy) => void = () => undefined,
  init: AuditStudyInit = open,
): () => Promise<Uint8Array> {
  return async () => {
    const study = await new AuditStudy(init).run();
    await change(study);
    return archive(study.parts(), { payloads: true }, (forgery) => forge(forgery, study));
  };
}

/** A bundle whose parts a forger has changed before it was laid out. */
function laidOut(
  change: (parts: BundleParts, study: AuditStudy) => BundleParts,
  init: AuditStudyInit = open,
): () => Promise<Uint8Array> {
  return async () => {
    const study = await new AuditStudy(init).run();
    return archive(change(study.parts(), study));
  };
}

const nothing = (): undefined => undefined;

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

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 0x04 : byte));
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

const metrics = [{ name: 'lesion-dice', value: 0.25, low: null, high: null }];

function evaluation(round: number): { kind: 'evaluation'; body: EvaluationBody } {
  return { kind: 'evaluation', body: { round, state: new Uint8Array(32), patients: 5, metrics } };
}

/** A payload of the study in which the trained values are as `valueAt` says. */
function payload(
  { layout }: AuditStudy,
  valueAt: (i: number) => number,
  exponent = -20,
): Uint8Array {
  const values = Int32Array.from({ length: layout.length }, (_, i) => (i < 3 ? 0 : valueAt(i)));
  const exponents = Int8Array.of(exponent, exponent, exponent);
  return encodePayload({ layout, bits: 32, exponents, values });
}

/** A site gives one more update, of the round after the last. */
async function more(
  study: AuditStudy,
  site: number,
  bytes: Uint8Array,
  base: { digest?: string } = {},
): Promise<void> {
  const state = await study.state(site);
  const privacy = study.reserve(site, 3, state);
  study.give(site, 3, { ...state, ...base }, bytes, privacy);
}

async function removeValidator(study: AuditStudy): Promise<void> {
  const key = study.key(validator).id;
  const at = (study.logs.get(key) ?? []).length;
  const change = { kind: 'remove', site: key, until: [{ key, at }] } as const;
  const proposed = { number: 1, previous: study.study, change };
  const approvals = [0, 1, 2]
    .map((site) => approveRosterChange(study.key(site), study.study, proposed))
    .sort((a, b) => (a.site < b.site ? -1 : 1));
  const { heads } = await study.state(0);
  study.say(0, { kind: 'roster-change', body: { ...proposed, approvals } }, heads);
  await study.syncAll();
}

function rotateValidator(study: AuditStudy): void {
  const { id: from } = study.key(validator);
  const to = keyFromSeed(new Uint8Array(32).fill(9));
  const index = (study.logs.get(from) ?? []).length;
  const body = consentToRotation(to, { study: study.study, from, index, to: to.id });
  study.sign(validator, { kind: 'rotation', body });
}

/** Every fault that an audit must find, by the first code of each. */
export const faults: readonly Fault[] = [
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
    codes: ['GAP', 'GAP', 'WRONG_HEADS'],
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
    name: 'a key that speaks on after it has handed on',
    codes: ['STALE_KEY'],
    make: changed((study) => {
      rotateValidator(study);
      study.sign(validator, evaluation(2));
    }),
  },
  {
    name: 'a key that speaks on after its member was removed',
    codes: ['STALE_KEY'],
    make: changed(async (study) => {
      await removeValidator(study);
      study.sign(validator, evaluation(2));
    }),
  },
  {
    name: 'a log of a key that nobody knows',
    codes: ['STRANGER_LOG'],
    make: laidOut((parts, study) => {
      const stranger = new AuditStudy({ ...open, patients: [20, 30, 50, 60] });
      const { envelope } = stranger.sign(4, evaluation(1), { study: study.study });
      return { ...parts, logs: new Map([...parts.logs, [stranger.key(4).id, [envelope]]]) };
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
  {
    name: 'a checkpoint with a changed signature',
    codes: ['BAD_CHECKPOINT', 'MISSING_QUORUM'],
    make: changed(nothing, ({ files }, study) => {
      const name = [...files.keys()].find((each) => each.includes(`points/${study.key(1).id}`));
      const text = Buffer.from(files.get(name as string) as Uint8Array).toString('utf8');
      const at = text.indexOf('—') + text.slice(text.indexOf('—')).indexOf('=') - 12;
      const other = text[at] === 'A' ? 'B' : 'A';
      files.set(name as string, Buffer.from(text.slice(0, at) + other + text.slice(at + 1)));
    }),
  },
  {
    name: 'a checkpoint of another log of the same key',
    codes: ['CHECKPOINT_DIFFERS', 'MISSING_QUORUM'],
    make: async () => {
      const study = await new AuditStudy(open).run();
      const parts = study.parts();
      const { id } = study.key(1);
      const log = study.logs.get(id) ?? [];
      const other = study.sign(1, evaluation(1), { index: 1, previous: new Uint8Array(32) });
      study.logs.set(id, [log[0] as Uint8Array, other.envelope]);
      const notes = parts.notes.map((each) =>
        each.author === id ? { author: id, note: study.note(1) } : each,
      );
      return archive({ ...parts, notes });
    },
  },
  {
    name: 'a cosignature that the witness did not make',
    codes: ['BAD_COSIGNATURE', 'MISSING_QUORUM'],
    make: laidOut((parts, study) => ({
      ...parts,
      notes: parts.notes.map(({ author, note }) => {
        if (author !== study.key(1).id) return { author, note };
        const lines = Buffer.from(note).toString('utf8').split('\n');
        const own = lines.findIndex((line) => line.includes(study.key(0).id));
        const others = lines.filter((_, i) => i < 4 || i === 4 || i === own);
        const line = others.at(-1) as string;
        const at = line.length - 20;
        others[others.length - 1] =
          line.slice(0, at) + (line[at] === 'A' ? 'B' : 'A') + line.slice(at + 1);
        return { author, note: Buffer.from(`${others.join('\n')}\n`) };
      }),
    })),
  },
  {
    name: 'a log that one member too few has cosigned',
    codes: ['MISSING_QUORUM'],
    make: laidOut((parts, study) => ({
      ...parts,
      notes: parts.notes.map(({ author, note }) =>
        author === study.key(1).id ? { author, note: study.note(1, 1) } : { author, note },
      ),
    })),
  },
  {
    name: 'an update of a member that does not train',
    codes: ['NOT_A_TRAINER'],
    make: changed(async (study) =>
      study.give(
        validator,
        1,
        await study.state(validator),
        payload(study, () => 5),
      ),
    ),
  },
  {
    name: 'a claim of half the ε that was spent',
    codes: ['PRIVACY_CLAIM', 'NOT_RESERVED'],
    make: changed(
      async (study) => {
        const state = await study.state(1);
        const privacy = study.reserve(1, 3, state, 0.5);
        study.give(
          1,
          3,
          state,
          payload(study, () => 5),
          privacy,
        );
      },
      nothing,
      noisy,
    ),
  },
  {
    name: 'a reservation beyond the cap',
    codes: ['OVER_BUDGET', 'NOT_RESERVED'],
    make: changed(
      (study) =>
        more(
          study,
          1,
          payload(study, () => 5),
        ),
      nothing,
      {
        ...noisy,
        // Two rounds come to ε 3.9, three to 4.9.
        privacy: { ...generousPolicy, sampleRate: 1, profile: 'balanced', epsilon: 4.5 },
      },
    ),
  },
  {
    name: 'a payload on a finer grid than the study’s',
    codes: ['OFF_GRID'],
    make: changed((study) =>
      more(
        study,
        1,
        payload(study, () => 5, -21),
      ),
    ),
  },
  {
    name: 'a payload that leaves 32 bits of the grid',
    codes: ['OFF_GRID'],
    make: changed((study) =>
      more(
        study,
        1,
        payload(study, () => 2 ** 20, -8),
      ),
    ),
  },
  {
    name: 'a payload with padding that says something',
    codes: ['BAD_PAYLOAD'],
    make: changed((study) => {
      const bytes = payload(study, () => 5);
      bytes[6] = 1;
      return more(study, 1, bytes);
    }),
  },
  {
    name: 'an update of what nobody trains',
    codes: ['FROZEN_CHANGED'],
    make: changed(
      (study) => {
        const bytes = payload(study, () => 50_000);
        bytes[bytes.length - 4 * study.layout.length] = 1;
        return more(study, 1, bytes);
      },
      nothing,
      noisy,
    ),
  },
  {
    name: 'a payload that is not there',
    codes: ['PAYLOAD_MISSING', 'WRONG_WEIGHTS', 'WRONG_BASE', 'WRONG_STATE'],
    make: changed(nothing, ({ files }) => {
      const [first] = [...files.keys()].filter((name) => name.startsWith('payloads/'));
      files.delete(first as string);
    }),
  },
  {
    name: 'another payload under the same name',
    codes: ['PAYLOAD_DIGEST', 'WRONG_WEIGHTS', 'WRONG_STATE'],
    make: changed(nothing, ({ files }) => {
      const last = [...files.keys()]
        .filter((name) => name.startsWith('payloads/'))
        .at(-1) as string;
      files.set(last, flipped(files.get(last) as Uint8Array, 90));
    }),
  },
  {
    name: 'a file that nothing names',
    codes: ['UNNAMED_FILE'],
    make: changed(nothing, ({ files }) =>
      files.set(payloadFileName('ab'.repeat(32)), Uint8Array.of(1)),
    ),
  },
  {
    name: 'an update ten times as large as its parameters allow',
    codes: ['NORM_BAND'],
    make: changed(
      (study) =>
        more(
          study,
          1,
          payload(study, (i) => (i % 2 ? 1 : -1) * 2 ** 19),
        ),
      nothing,
      noisy,
    ),
  },
  {
    name: 'a private update without its noise',
    codes: ['NOISE_FLOOR'],
    make: changed((study) => study.train(1, 3, 0.01), nothing, noisy),
  },
  {
    name: 'two sites with the same noise',
    codes: ['NOISE_REUSED'],
    make: changed(
      async (study) => {
        await study.train(0, 3);
        await study.syncAll();
        const [digest = '', bytes = new Uint8Array()] = [...study.blobs].at(-1) ?? [];
        const { values, ...rest } = decodePayload(study.layout, bytes);
        const nudged = values.map((value, i) => (i % 5 === 4 ? value + 1 : value));
        if (digest === '') throw new RangeError();
        await more(study, 1, encodePayload({ ...rest, values: nudged }));
      },
      nothing,
      { ...noisy, patients: [10, 10] },
    ),
  },
  {
    name: 'a private payload that is said twice',
    codes: ['NOISE_REUSED'],
    make: changed(
      (study) => more(study, 1, [...study.blobs.values()].at(-1) as Uint8Array),
      nothing,
      noisy,
    ),
  },
  {
    name: 'published weights that one update would have made otherwise',
    codes: ['WRONG_WEIGHTS'],
    make: changed(nothing, (forgery, { layout }) => {
      const sent = decodePayload(layout, forgery.files.get(stateName) as Uint8Array);
      const values = sent.values.map((value, i) => (i === 20 ? value + 1 : value));
      forgery.files.set(stateName, encodePayload({ ...sent, values }));
      const digest = weightsDigest(layout, -20, values);
      forgery.index = { ...forgery.index, state: { ...forgery.index.state, digest } };
    }),
  },
  {
    name: 'published weights under the right name that are not those',
    codes: ['WRONG_WEIGHTS'],
    make: changed(nothing, ({ files }, { layout }) => {
      const sent = decodePayload(layout, files.get(stateName) as Uint8Array);
      const values = sent.values.map((value, i) => (i === 20 ? value + 1 : value));
      files.set(stateName, encodePayload({ ...sent, values }));
    }),
  },
  {
    name: 'a state that is said to come from other logs',
    codes: ['WRONG_HEADS'],
    make: changed(nothing, (forgery) => {
      const { digest, heads } = forgery.index.state;
      forgery.index = { ...forgery.index, state: { digest, heads: heads.slice(1) } };
    }),
  },
  {
    name: 'an update from a state that its author’s records do not make',
    codes: ['WRONG_BASE'],
    make: changed((study) =>
      more(
        study,
        1,
        payload(study, () => 5),
        { digest: '5a'.repeat(32) },
      ),
    ),
  },
  {
    name: 'an evaluation of a state that its author’s records do not make',
    codes: ['WRONG_STATE'],
    make: changed(async (study) => {
      const { heads } = await study.state(validator);
      study.say(validator, evaluation(2), heads);
    }),
  },
  {
    name: 'the founding record of another study',
    codes: ['BAD_FOUNDING'],
    make: changed(nothing, ({ files }) => {
      const other = new AuditStudy({ ...open, rounds: 5 });
      files.set('manifest.cbor', other.manifest.envelope);
    }),
  },
  {
    name: 'a checkpoint under a name that is not its size',
    codes: ['BAD_CHECKPOINT'],
    make: changed(nothing, ({ files }, study) => {
      const { id } = study.key(0);
      const name = [...files.keys()].find((each) =>
        each.startsWith(`checkpoints/${id}/`),
      ) as string;
      const note = files.get(name) as Uint8Array;
      files.delete(name);
      files.set(checkpointFileName(id, 1), note);
    }),
  },
];
