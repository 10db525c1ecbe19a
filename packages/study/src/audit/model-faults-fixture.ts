import { decodePayload, encodePayload, weightsDigest } from '@consilium/weights';
import { payloadFileName, stateName } from './bundle-index.ts';
import {
  changed,
  evaluation,
  type Fault,
  flipped,
  more,
  noisy,
  nothing,
  payload,
  validator,
} from './fault-fixture.ts';
import { generousPolicy } from './study-manifest-fixture.ts';

/** For tests: what is wrong with privacy, payloads, noise, weights, and where states come from. */
export const modelFaults: readonly Fault[] = [
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
];
