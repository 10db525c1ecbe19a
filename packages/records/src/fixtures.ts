import type { PrivatePolicy } from './privacy-policy.ts';
import type { KnownKind, RecordDraft, RecordOf } from './record.ts';
import { approveRosterChange } from './roster-approval.ts';
import type { ProposedChange } from './roster-change.ts';
import { consentToRotation } from './rotation.ts';
import { keyFromSeed, type SiteKey } from './site-key.ts';

/** A site's key for tests: seed of 32 equal bytes. */
export function testKey(n: number): SiteKey {
  return keyFromSeed(new Uint8Array(32).fill(n));
}

type Draft<K extends KnownKind> = Omit<RecordOf<K>, 'known'>;

export function testManifest(author: SiteKey): Draft<'manifest'> {
  return {
    kind: 'manifest',
    version: 1,
    study: null,
    author: author.id,
    index: 0,
    previous: null,
    heads: [],
    body: {
      name: 'COVID-19 lesions',
      task: { network: { width: 8, dropout: 0.25 }, classes: ['lung', 'lesion'] },
      layout: [
        { name: 'encoder/0/kernel', shape: [8, 3, 3, 3] },
        { name: 'encoder/0/bias', shape: [8] },
      ],
      initialWeights: { digest: new Uint8Array(32).fill(9), bytes: 896 },
      gridExponent: -20,
      privacy: { profile: 'off' },
      aggregation: { rule: 'weighted-mean' },
      rounds: { count: 10, deadlineSeconds: 600, quorum: 1 },
      witnesses: { quorum: 1 },
      roster: [
        {
          site: author.id,
          name: 'Klinikum Süd',
          role: 'trainer',
          patients: 20,
          addresses: ['/ip4/127.0.0.1/tcp/4001'],
        },
        { site: testKey(201).id, name: 'Validator', role: 'validator', patients: 0, addresses: [] },
      ],
    },
  };
}

/** A policy for {@link testManifest}; σ, C and the exponent differ, so that one taken for another shows. */
export const testPolicy: PrivatePolicy = {
  profile: 'balanced',
  epsilon: 8,
  delta: 0.001,
  sampleRate: 0.25,
  noiseMultiplier: 1.75,
  clipNorm: 0.5,
  gradientExponent: -16,
  slicesPerPatient: 4,
  trainable: ['encoder/0/bias'],
};

export function testReserve(author: SiteKey, index = 1): Draft<'reserve'> {
  return {
    ...testUpdate(author, index),
    kind: 'reserve',
    body: { round: 2, sampleRate: 0.25, noiseMultiplier: 1.75, steps: 40, epsilon: 2.5 },
  };
}

export function testUpdate(author: SiteKey, index = 1): Draft<'update'> {
  return {
    kind: 'update',
    version: 1,
    study: new Uint8Array(32).fill(7),
    author: author.id,
    index,
    previous: index === 0 ? null : new Uint8Array(32).fill(6),
    heads: [{ author: author.id, size: 3, root: new Uint8Array(32).fill(5) }],
    body: {
      round: 2,
      base: new Uint8Array(32).fill(4),
      payload: { digest: new Uint8Array(32).fill(3), bytes: 12_345 },
      steps: 40,
      privacy: { profile: 'off' },
    },
  };
}

export function testEvaluation(author: SiteKey, index = 2): Draft<'evaluation'> {
  return {
    ...testUpdate(author, index),
    kind: 'evaluation',
    body: {
      round: 2,
      state: new Uint8Array(32).fill(4),
      patients: 20,
      metrics: [
        { name: 'dice', value: 0.47, low: 0.4, high: 0.55 },
        { name: 'burden.error-ml', value: -3, low: null, high: null },
      ],
    },
  };
}

/** A change of {@link testManifest}'s roster with the author's approval. */
export function testRosterChange(author: SiteKey): Draft<'roster-change'> {
  const header = testUpdate(author, 3);
  const proposed: ProposedChange = {
    number: 2,
    previous: new Uint8Array(32).fill(2),
    change: {
      kind: 'rotate',
      site: testKey(201).id,
      until: [{ key: testKey(201).id, at: 17 }],
      to: testKey(202).id,
      spentSteps: 240,
    },
  };
  return {
    ...header,
    kind: 'roster-change',
    body: {
      ...proposed,
      approvals: [approveRosterChange(author, header.study as Uint8Array, proposed)],
    },
  };
}

export function testRotation(author: SiteKey, index = 4): Draft<'rotation'> {
  const header = testUpdate(author, index);
  const study = header.study as Uint8Array;
  const to = testKey(203);
  return {
    ...header,
    kind: 'rotation',
    body: consentToRotation(to, { study, from: author.id, index, to: to.id }),
  };
}

/** Well formed, and proves nothing. */
export function testEquivocation(author: SiteKey, index = 5): Draft<'equivocation'> {
  const note = (size: number): Uint8Array => new TextEncoder().encode(`log\n${size}\nroot\n`);
  return {
    ...testUpdate(author, index),
    kind: 'equivocation',
    body: {
      site: testKey(204).id,
      smaller: note(3),
      larger: note(5),
      root: new Uint8Array(32).fill(8),
      proof: [new Uint8Array(32).fill(9), new Uint8Array(32).fill(10)],
    },
  };
}

/** A record of a kind from the future. */
export function testUnknown(author: SiteKey): RecordDraft {
  return {
    ...testUpdate(author),
    kind: 'notice',
    known: false,
    body: { added: ['somebody'], at: 1.5 },
  };
}
