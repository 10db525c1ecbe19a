import { once } from 'node:events';
import { connect } from 'node:net';
import { verifyAnswer } from '@consilium/client';
import { weightsDigest } from '@consilium/weights';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiStudy } from './api-fixture.ts';
import { ServedStudy, tokenOf } from './served-fixture.ts';

const study = new ApiStudy();
const { evaluated } = await study.twoRounds();
let served: ServedStudy;

beforeEach(async () => {
  served = new ServedStudy(study);
  await served.start();
});
afterEach(async () => {
  await served.stop();
  expect(served.failures).toEqual([]);
});

describe('a researcher', () => {
  test('gets the weights, recomputed to the digest that names them', async () => {
    const { digest, grid, layout } = await served.client().weights('round:2');
    expect(digest).toBe((await study.history().atRound(2))?.digest);
    expect(weightsDigest(layout, -20, grid)).toBe(digest);
  });

  test('gets a state by its digest, by its round and by its heads', async () => {
    const ask = served.client();
    const byDigest = await ask.state(evaluated.digest);
    expect(byDigest.evaluations).toMatchObject([{ name: 'external', patients: 10 }]);
    expect((await ask.stateAtHeads(byDigest.heads)).digest).toBe(evaluated.digest);
    expect((await ask.diff('round:1', evaluated.digest)).distance).toBeGreaterThan(0);
  });

  test('gets every other answer, signed', async () => {
    const ask = served.client();
    const answers = await Promise.all([
      ask.study(),
      ask.members(),
      ask.states({ from: 1, limit: 2 }),
      ask.lineage('latest'),
      ask.evaluations(evaluated.digest),
      ask.participation(),
      ask.privacy(),
      ask.heads(),
      ask.findings(),
      ask.consensus(),
      ask.card('round:1'),
    ]);
    expect(answers[0]).toMatchObject({ minimumCohort: 5, site: { role: 'observer' } });
    expect(answers[2].states.map(({ rounds }) => rounds)).toEqual([1, 2]);
    expect(answers[10]).toContain('# Model card');
  });

  test('is told what is wrong with a question, signed as well', async () => {
    await expect(served.client().state('ab'.repeat(32))).rejects.toMatchObject({
      code: 'REFUSED',
      problem: { status: 404, code: 'STATE_UNKNOWN', isSigned: true },
    });
  });
});

describe('an answer', () => {
  test('is for this question and no other', async () => {
    const nonce = 'n'.repeat(16);
    const response = await served.get('/v1/heads?', { 'consilium-nonce': nonce });
    const header = response.headers.get('consilium-signature');
    const digest = Buffer.from(
      response.headers.get('repr-digest')?.slice('sha-256=:'.length, -1) ?? '',
      'base64',
    );
    const claim = {
      target: '/v1/heads?',
      status: 200,
      nonce,
      contentType: 'application/json',
      digest,
    };
    verifyAnswer(header, served.key.id, claim);
    for (const change of [{ target: '/v1/heads' }, { nonce: 'm'.repeat(16) }, { status: 201 }])
      expect(() => verifyAnswer(header, served.key.id, { ...claim, ...change })).toThrow(
        /not one by/,
      );
  });

  test('with a nonce that is none is signed without it', async () => {
    for (const nonce of ['short', 'n'.repeat(65), 'has space in it, long']) {
      const response = await served.get('/v1/heads', { 'consilium-nonce': nonce });
      const digest = Buffer.from(
        response.headers.get('repr-digest')?.slice('sha-256=:'.length, -1) ?? '',
        'base64',
      );
      const claim = { target: '/v1/heads', status: 200, contentType: 'application/json', digest };
      verifyAnswer(response.headers.get('consilium-signature'), served.key.id, {
        ...claim,
        nonce: null,
      });
    }
  });
});

describe('a question that is none', () => {
  test.each([
    ['/v1/', 404, 'NOT_FOUND'],
    ['/v1/constructor', 404, 'NOT_FOUND'],
    ['/v1/states/', 404, 'NOT_FOUND'],
    ['/v1/states/latest/weights/', 404, 'NOT_FOUND'],
    ['/v1/states/latest/weights?format=pickle', 400, 'BAD_PARAMETER'],
    ['/v1/states/LATEST', 400, 'BAD_PARAMETER'],
    ['/v1/states/round:-1', 400, 'BAD_PARAMETER'],
    ['/v1/states/%E0%A4%A', 404, 'NOT_FOUND'],
    ['/v1/states/round:1?state=latest', 400, 'BAD_PARAMETER'],
    ['/v1/states?limit=0', 400, 'BAD_PARAMETER'],
    ['/v1/states?limit=1&limit=2', 400, 'BAD_PARAMETER'],
    ['/v1/states?from=x', 400, 'BAD_PARAMETER'],
    ['/v1/states?__proto__=1', 400, 'BAD_PARAMETER'],
    ['/v1/states/at-heads', 400, 'BAD_PARAMETER'],
    [`/v1/states/at-heads?head=${study.key(0).id}:3:${'ab'.repeat(32)}`, 404, 'STATE_UNKNOWN'],
    ['/v1/diff?a=latest', 400, 'BAD_PARAMETER'],
    [`/v1/logs/${study.key(0).id}/proofs/99`, 404, 'RECORD_UNKNOWN'],
    ['/v1/logs/nobody/proofs/0', 400, 'BAD_PARAMETER'],
  ])('%s: %i %s', async (path, status, code) => {
    const response = await served.get(path);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toEqual({
      type: `urn:consilium:problem:${code}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      code,
    });
    expect(response.headers.has('consilium-signature')).toBe(true);
  });

  test.each(['POST', 'PUT', 'DELETE', 'HEAD'])('%s is not answered', async (method) => {
    const response = await fetch(`${served.address}/v1/study`, {
      method,
      headers: { authorization: `Bearer ${tokenOf('operator')}` },
    });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET');
  });

  test('another host than this one is refused before anything else', async () => {
    const { hostname, port } = new URL(served.address);
    const socket = connect(Number(port), hostname);
    socket.end('GET /v1/study HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
    });
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
  });
});

test('nothing that is told holds a patient, a loss or an address', async () => {
  const ask = served.client();
  const told = JSON.stringify([
    await ask.study(),
    await ask.members(),
    await ask.state('latest'),
    await ask.lineage('latest'),
    await ask.evaluations(),
    await ask.consensus(),
  ]);
  expect(told).not.toMatch(/"loss"|meanLoss|\/ip4\/|\/dns|caseId|secret/i);
});
