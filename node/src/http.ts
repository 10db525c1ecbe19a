import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NodeError } from './error.ts';
import { isErrno } from './site-folder.ts';

/** What an address answers with. */
export interface Answer {
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly status?: number;
}

/** Answers by path. Each gets the query's parameters. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Promise<Answer> | Answer>>;

export interface HttpInit {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /**
   * Looks at every request that names this server before the routes do. True when it has answered; it must not reject. @default leaves all to the routes
   */
  readonly gate?: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
}

/** A read-only HTTP server: GET only, no body is read, one answer a path. */
export interface HttpServer {
  /** `http://host:port` */
  readonly address: string;
  stop(): Promise<void>;
}

/** @throws {NodeError} `ADDRESS_IN_USE`. */
export async function serveHttp(
  routes: Routes,
  { host, port, gate = async () => false }: HttpInit,
  onError: (error: unknown) => void,
): Promise<HttpServer> {
  const server = createServer(
    { maxHeaderSize: 8192, requestTimeout: 10_000 },
    (request, response) => {
      if (!isAddressed(request.headers.host, host)) {
        send(response, { status: 421, type: 'text/plain', body: 'another host is asked for\n' });
        return;
      }
      gate(request, response)
        .then((isAnswered) => (isAnswered ? undefined : route(routes, request, response)))
        .catch((error) => {
          onError(error);
          send(response, {
            status: 500,
            type: 'text/plain',
            body: 'the node could not answer; see its log\n',
          });
        });
    },
  );
  await listen(server, host, port);
  const { port: taken } = server.address() as AddressInfo;
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function route(
  routes: Routes,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Null for a target that is no path, such as `//`.
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  const path = url?.pathname ?? '';
  const answer = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (request.method !== 'GET' || url === null || answer === undefined) {
    send(response, {
      status: request.method === 'GET' ? 404 : 405,
      type: 'text/plain',
      body: 'not found\n',
    });
    return;
  }
  send(response, await answer(url.searchParams));
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        isErrno(cause, 'EADDRINUSE')
          ? new NodeError(
              'ADDRESS_IN_USE',
              `${host}:${port} is taken by another program`,
              'set http.port in consilium.yaml to another port, or to 0 for any free one',
              { cause },
            )
          : cause,
      );
    });
    server.listen(port, host, resolve);
  });
}

function send(response: ServerResponse, { status = 200, type, body }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  response.end(body);
}

/**
 * Whether a request names this server. On loopback a page of any web site can make a browser send requests here under its own name (DNS rebinding); they
 * name that site as the host, and are refused.
 */
function isAddressed(header: string | undefined, host: string): boolean {
  const asked = URL.parse(`http://${header ?? ''}`)?.hostname ?? '';
  const own = ['localhost', '127.0.0.1', '[::1]', host, `[${host}]`];
  return host === '0.0.0.0' || host === '::' || own.includes(asked);
}
