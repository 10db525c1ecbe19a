import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A TCP line to one site that a test can cut, heal, and cut again after some bytes. */
export interface TestLink {
  /** Multiaddr to dial instead of the site's own. */
  address: string;
  /** Bytes that came from the site since the last `heal`, or since the start. */
  received(): number;
  cut(): void;
  heal(): void;
  /** Cuts once `bytes` more have come from the site. */
  cutAfter(bytes: number): void;
}

/** A line to `target`, a multiaddr `/ip4/127.0.0.1/tcp/<port>…`; it may be cut from the start. */
export async function startLink(target: string): Promise<TestLink> {
  const port = Number(/\/tcp\/(\d+)/.exec(target)?.[1]);
  const sockets = new Set<Socket>();
  let open = true;
  let received = 0;
  let allowance = Number.POSITIVE_INFINITY;

  const cut = (): void => {
    open = false;
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  const hold = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A cut line resets: the other end sees it too.
    socket.on('error', () => socket.destroy());
  };
  const server = createServer((near) => {
    hold(near);
    if (!open) {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    hold(far);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    near.pipe(far);
    far.on('data', (bytes) => {
      received += bytes.length;
      allowance -= bytes.length;
      if (allowance <= 0) {
        allowance = Number.POSITIVE_INFINITY;
        cut();
        return;
      }
      near.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    cut();
    server.close();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') {
    throw new Error('the link has no port');
  }
  return {
    address: `/ip4/127.0.0.1/tcp/${bound.port}`,
    received: () => received,
    cut,
    heal: () => {
      open = true;
      received = 0;
    },
    cutAfter: (bytes) => {
      allowance = bytes;
    },
  };
}
