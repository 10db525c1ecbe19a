import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type HttpServer, type Routes, serveHttp } from './http.ts';

const failures: unknown[] = [];
let server: HttpServer | null = null;

async function serve(routes: Routes): Promise<string> {
  server = await serveHttp(routes, { host: '127.0.0.1', port: 0 }, (error) => failures.push(error));
  return server.address;
}

afterEach(async () => {
  await server?.stop();
  server = null;
  failures.length = 0;
});

/** Says these bytes on a connection of its own and returns everything that comes back until the other side ends it. */
async function say(address: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  socket.end(bytes);
  await once(socket, 'close');
  return answer;
}

test('answers a path with its type, its status and its body, and never lets it be cached', async () => {
  const address = await serve({
    '/text': (query) => ({ type: 'text/plain', body: `hello ${query.get('who')}` }),
    '/bytes': async () => ({ type: 'application/octet-stream', body: Uint8Array.of(0, 255) }),
    '/soon': () => ({ type: 'text/plain', body: 'not yet\n', status: 404 }),
  });
  const text = await fetch(`${address}/text?who=you%20two`);
  expect(await text.text()).toBe('hello you two');
  expect(Object.fromEntries(text.headers)).toMatchObject({
    'content-type': 'text/plain',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  expect(new Uint8Array(await (await fetch(`${address}/bytes`)).arrayBuffer())).toEqual(
    Uint8Array.of(0, 255),
  );
  expect((await fetch(`${address}/soon`)).status).toBe(404);
});

test.each([
  ['an unknown path', 'GET', '/other', 404],
  ['a name that every object has', 'GET', '/constructor', 404],
  ['a method that could change something', 'POST', '/text', 405],
])('refuses %s', async (_, method, path, status) => {
  const address = await serve({ '/text': () => ({ type: 'text/plain', body: 'x' }) });
  expect((await fetch(`${address}${path}`, { method })).status).toBe(status);
});

test.each(['//', 'http://', '/\\', '*', '/%'])(
  'survives the malformed target %s and goes on answering',
  async (target) => {
    const address = await serve({ '/text': () => ({ type: 'text/plain', body: 'x' }) });
    const answer = await say(address, `GET ${target} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect((await fetch(`${address}/text`)).status).toBe(200);
  },
);

test('a route that fails is a 500 without a word of why, and is told to the node', async () => {
  const address = await serve({
    '/throws': () => {
      throw new Error('secret reason');
    },
    '/rejects': async () => Promise.reject(new Error('secret reason')),
  });
  for (const path of ['/throws', '/rejects']) {
    const answer = await fetch(`${address}${path}`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('secret');
  }
  expect(failures).toHaveLength(2);
});

test('says which port is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  await expect(serveHttp({}, { host: '127.0.0.1', port }, () => undefined)).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
    message: `127.0.0.1:${port} is taken by another program`,
  });
  other.close();
});

test('stops though a client keeps its connection open', async () => {
  const address = await serve({ '/text': () => ({ type: 'text/plain', body: 'x' }) });
  const { hostname, port } = new URL(address);
  const idle = connect(Number(port), hostname);
  await once(idle, 'connect');
  const closed = once(idle, 'close');
  await server?.stop();
  await closed;
  await expect(fetch(`${address}/text`)).rejects.toThrow();
});

test('refuses a request that names another host, as a browser would for a page of another site', async () => {
  const address = await serve({ '/text': () => ({ type: 'text/plain', body: 'secret' }) });
  const rebound = await say(
    address,
    'GET /text HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  );
  expect(rebound).toContain('421');
  expect(rebound).not.toContain('secret');
  const direct = await say(
    address,
    'GET /text HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n',
  );
  expect(direct).toContain('secret');
});
