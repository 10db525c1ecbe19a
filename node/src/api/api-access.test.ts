import type { Role } from '@consilium/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiStudy } from './api-fixture.ts';
import { allRoles, ServedStudy, tokenOf } from './served-fixture.ts';

const study = new ApiStudy();
await study.twoRounds();
let served: ServedStudy;

beforeEach(async () => {
  served = new ServedStudy(study);
  await served.start();
});
afterEach(async () => {
  await served.stop();
  expect(served.failures).toEqual([]);
});

describe('who may ask for what', () => {
  test.each<[string, readonly Role[]]>([
    ['/v1/study', allRoles],
    ['/v1/states/latest/card', allRoles],
    ['/openapi.json', allRoles],
    ['/v1/states/latest/weights', ['operator', 'auditor', 'researcher']],
    [`/v1/logs/${study.key(0).id}/proofs/0`, ['operator', 'auditor', 'researcher']],
    ['/status', ['operator']],
  ])('%s is for %j', async (path, roles) => {
    for (const role of allRoles) {
      const { status } = await served.get(path, { authorization: `Bearer ${tokenOf(role)}` });
      expect(status, role).toBe(roles.includes(role) ? 200 : 403);
    }
  });

  test('nobody without a token, but whether the node lives', async () => {
    const status = async (path: string) => (await fetch(`${served.address}${path}`)).status;
    expect(await status('/v1/study')).toBe(401);
    expect(await status('/status')).toBe(401);
    expect(await status('/openapi.json')).toBe(401);
    expect(await status('/nothing')).toBe(401);
    expect(await status('/healthz')).toBe(200);
    await expect(served.client(null).study()).rejects.toMatchObject({
      problem: { status: 401, code: 'TOKEN_NEEDED', isSigned: false },
    });
  });

  test('while no token is configured, everybody on this machine may', async () => {
    await served.stop();
    await served.start({ tokens: false });
    expect((await served.client(null).study()).study.name).toBe('a | study <b>');
    expect((await fetch(`${served.address}/status`)).status).toBe(200);
  });
});

describe('too many questions', () => {
  beforeEach(async () => {
    await served.stop();
    await served.start({ allowance: { perSecond: 1, burst: 12 } });
  });

  test('are refused, each client by itself, until time has passed', async () => {
    for (let i = 0; i < 12; i++) expect((await served.get('/v1/heads')).status).toBe(200);
    const refused = await served.get('/v1/heads');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.has('consilium-signature')).toBe(false);
    expect(
      (await served.get('/v1/heads', { authorization: `Bearer ${tokenOf('auditor')}` })).status,
    ).toBe(200);
    served.clock.advance(1_000);
    expect((await served.get('/v1/heads')).status).toBe(200);
  });

  test('work costs more', async () => {
    expect((await served.get('/v1/consensus')).status).toBe(200);
    expect((await served.get('/v1/consensus')).status).toBe(429);
    expect((await served.get('/v1/heads')).status).toBe(200);
  });

  test('who guesses tokens is slowed, and slows nobody else', async () => {
    const guess = () => served.get('/v1/study', { authorization: 'Bearer consilium_guess' });
    expect((await guess()).status).toBe(401);
    expect((await guess()).status).toBe(429);
    expect((await served.get('/v1/study')).status).toBe(200);
  });
});
