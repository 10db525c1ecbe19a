import { createLayout, encodePayload, weightsDigest } from '@consilium/weights';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from './client.ts';
import { componentsOn, type Said, SigningNode } from './signing-node-fixture.ts';

const heads = { heads: [] };
let node: SigningNode;
let components: ReturnType<typeof componentsOn>;
let client: Client;

beforeEach(() => {
  node = new SigningNode(() => ({ body: JSON.stringify(heads) }));
  components = componentsOn(node);
  client = createClient(components, { address: node.address, site: node.key.id, token: 'secret' });
});

test('asks with a fresh nonce and the token, follows nobody elsewhere', async () => {
  expect(await client.heads()).toEqual(heads);
  await client.heads();
  const [first, second] = node.asked;
  expect(first?.headers).toMatchObject({
    authorization: 'Bearer secret',
    'consilium-nonce': Buffer.alloc(24, 1).toString('base64url'),
  });
  expect(second?.nonce).not.toBe(first?.nonce);
  expect(first?.init.redirect).toBe('error');
});

test('fills a question’s parameters into its path and its query', async () => {
  const author = node.key.id;
  const asks: [() => Promise<unknown>, string][] = [
    [() => client.state('round:3'), '/v1/states/round%3A3'],
    [() => client.states(), '/v1/states'],
    [() => client.states({ from: 3, limit: 2 }), '/v1/states?from=3&limit=2'],
    [() => client.diff('latest', 'round:0'), '/v1/diff?a=latest&b=round%3A0'],
    [() => client.evaluations(), '/v1/evaluations'],
    [() => client.lineage('../x'), '/v1/states/..%2Fx/lineage'],
    [
      () => client.stateAtHeads([{ author, size: 2, root: 'ab'.repeat(32) }]),
      `/v1/states/at-heads?head=${author}%3A2%3A${'ab'.repeat(32)}`,
    ],
  ];
  for (const [ask, target] of asks) {
    await expect(ask()).rejects.toMatchObject({ code: 'ANSWER' });
    expect(node.asked.at(-1)?.target).toBe(target);
  }
});

describe('uses nothing of an answer that', () => {
  test.each<[string, Partial<Said>, string]>([
    ['is not signed', { isSigned: false }, 'SIGNATURE'],
    ['was changed on the way', { sent: Buffer.from('{"heads": []}') }, 'SIGNATURE'],
    ['is not JSON', { body: 'heads' }, 'ANSWER'],
    [
      'is not in the contract',
      { body: '{"heads":[{"author":"x","size":1,"root":"y"}]}' },
      'ANSWER',
    ],
    ['has more bytes than any has', { body: Buffer.alloc(16 * 2 ** 20 + 1, ' ') }, 'ANSWER'],
  ])('%s', async (_, change, code) => {
    node.answer = () => ({ body: JSON.stringify(heads), ...change });
    await expect(client.heads()).rejects.toMatchObject({ code });
  });

  test('another site has signed', async () => {
    const other = createClient(components, {
      address: node.address,
      site: '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
    });
    await expect(other.heads()).rejects.toMatchObject({ code: 'SIGNATURE' });
    expect(node.asked[0]?.headers).not.toHaveProperty('authorization');
  });

  test('answered an earlier question', async () => {
    await client.heads();
    const [asked] = node.asked;
    const old = node.response(asked as NonNullable<typeof asked>, { body: JSON.stringify(heads) });
    const replaying = createClient(
      { ...components, fetch: async () => old },
      { address: node.address, site: node.key.id },
    );
    await expect(replaying.heads()).rejects.toMatchObject({ code: 'SIGNATURE' });
  });
});

test('passes over fields that a later version has added', async () => {
  node.answer = () => ({ body: '{"heads":[],"later":1}' });
  expect(await client.heads()).toEqual(heads);
});

describe('a refusal', () => {
  const problem = { type: 'x', title: 'x', status: 404, detail: 'no such', code: 'STATE_UNKNOWN' };
  const said = (change: Partial<Said> = {}): Said => ({
    status: 404,
    contentType: 'application/problem+json',
    body: JSON.stringify(problem),
    ...change,
  });

  test('carries the node’s code, and whether it was signed', async () => {
    node.answer = () => said();
    await expect(client.state('latest')).rejects.toMatchObject({
      code: 'REFUSED',
      message: '404: no such',
      problem: { status: 404, code: 'STATE_UNKNOWN', detail: 'no such', isSigned: true },
    });
    node.answer = () => said({ isSigned: false });
    await expect(client.state('latest')).rejects.toMatchObject({ problem: { isSigned: false } });
  });

  test('with a signature that is wrong is not believed', async () => {
    node.answer = () => said({ sent: Buffer.from(JSON.stringify({ ...problem, code: 'OTHER' })) });
    await expect(client.state('latest')).rejects.toMatchObject({ code: 'SIGNATURE' });
  });

  test('by something that is no node has no code', async () => {
    node.answer = () => ({ status: 502, contentType: 'text/html', body: '<h1>', isSigned: false });
    await expect(client.heads()).rejects.toMatchObject({
      code: 'REFUSED',
      problem: { status: 502, code: null },
    });
  });
});

test('says that nobody answers, and stops with the signal’s reason', async () => {
  const offline = createClient(
    { ...components, fetch: () => Promise.reject(new TypeError('fetch failed')) },
    { address: node.address, site: node.key.id },
  );
  await expect(offline.heads()).rejects.toMatchObject({ code: 'UNREACHABLE' });
  await expect(client.heads({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
    'enough',
  );
});

describe('weights', () => {
  const tensors = [
    { name: 'a', shape: [2, 2] },
    { name: 'b', shape: [1] },
  ];
  const layout = createLayout(tensors);
  const values = Int32Array.of(1, -2, 3, 2 ** 31 - 1, -7);
  const digest = weightsDigest(layout, -20, values);
  const payload = (of: Int32Array) =>
    encodePayload({ layout, bits: 32, exponents: Int8Array.of(-20, -20), values: of });
  const study = {
    study: { id: 'ab'.repeat(32), name: 's' },
    site: { id: '', name: 'x', role: 'observer' },
    task: {},
    layout: tensors,
    gridExponent: -20,
    rounds: { count: 1, deadlineSeconds: 1, quorum: 1 },
    aggregation: { rule: 'weighted-mean' },
    witnesses: { quorum: 0 },
    privacy: { profile: 'off', meaning: 'none', policy: null },
    minimumCohort: 5,
    intendedUse: 'research',
  };
  const serve = (bytes: Uint8Array, told: object = study) => {
    node.answer = ({ target }) =>
      target === '/v1/study'
        ? { body: JSON.stringify({ ...told, site: { ...study.site, id: node.key.id } }) }
        : {
            contentType: 'application/vnd.consilium.payload',
            body: bytes,
            headers: { etag: '"x"', 'content-length': String(bytes.length) },
          };
  };

  test('are those that the digest names', async () => {
    serve(payload(values));
    const got = await client.weights(digest);
    expect(got).toMatchObject({ digest, gridExponent: -20, grid: values });
    expect(got.values[1]).toBe(-2 / 2 ** 20);
  });

  test.each<[string, Uint8Array, object]>([
    ['one integer is another', payload(Int32Array.of(1, -2, 3, 4, -7)), study],
    ['they are no payload', Buffer.from('not weights'), study],
    ['the node says another layout', payload(values), { ...study, layout: tensors.toReversed() }],
    ['the node says another grid', payload(values), { ...study, gridExponent: -21 }],
    [
      'the node names a tensor twice',
      payload(values),
      { ...study, layout: [tensors[0], tensors[0]] },
    ],
  ])('are refused when %s, though the node signed it', async (_, bytes, told) => {
    serve(bytes, told);
    await expect(client.weights(digest)).rejects.toMatchObject({ code: 'WEIGHTS' });
  });
});

test.each(['node.example', 'ftp://node.example', 'http://node.example/path', 'http://a@b.example'])(
  '%s is no address',
  (address) => {
    expect(() => createClient(components, { address, site: node.key.id })).toThrow(RangeError);
  },
);
