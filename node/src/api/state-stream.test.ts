import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { keyFromSeed } from '@consilium/records';
import { beforeEach, expect, test } from 'vitest';
import { StillClock } from './clock-fixture.ts';
import { StateStream } from './state-stream.ts';

/** What a listener was sent. */
class Recorder extends EventEmitter {
  text = '';
  /** Bytes that the other end has not read. */
  writableLength = 0;
  isEnded = false;

  writeHead(): void {}
  write(text: string): void {
    this.text += text;
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.isEnded = true;
    this.emit('close');
  }
  /** What came since the last call. */
  news(): string {
    const { text } = this;
    this.text = '';
    return text;
  }
}

let clock: StillClock;
let stream: StateStream;
let digest: string | null;

beforeEach(() => {
  clock = new StillClock();
  digest = 'aa'.repeat(32);
  stream = new StateStream({
    key: keyFromSeed(new Uint8Array(32).fill(9)),
    clock,
    state: () => (digest === null ? null : { digest, rounds: [], missing: [] }),
  });
});

function listen(): Recorder {
  const recorder = new Recorder();
  const request = { url: '/v1/events', headers: {} } as IncomingMessage;
  stream.listen('one', request, recorder as unknown as ServerResponse);
  return recorder;
}

test('tells each state once, numbered, and that it lives when nothing else has been said for 15 seconds', () => {
  const listener = listen();
  expect(listener.news()).toMatch(
    /^: research use only.*\n\nevent: state\nid: (aa){32}\ndata: \{"sequence":0,.*\nconsilium-signature: site=.*\n\n$/,
  );
  clock.advance(14_500);
  expect(listener.news()).toBe('');
  clock.advance(500);
  expect(listener.news()).toBe(': alive\n\n');
  digest = 'bb'.repeat(32);
  clock.advance(500);
  expect(listener.news()).toContain('"sequence":1,"digest":"bbbb');
  clock.advance(14_500);
  expect(listener.news()).toBe('');
  clock.advance(30_500);
  expect(listener.news()).toBe(': alive\n\n'.repeat(3));
});

test('before there is a state it only says that it lives', () => {
  digest = null;
  const listener = listen();
  listener.news();
  clock.advance(15_000);
  expect(listener.news()).toBe(': alive\n\n');
  digest = 'cc'.repeat(32);
  clock.advance(500);
  expect(listener.news()).toContain('"sequence":0,');
});

test('lets go of a listener that does not read, and of nobody else', () => {
  const [slow, other] = [listen(), listen()];
  slow.writableLength = 64 * 1024 + 1;
  other.writableLength = 64 * 1024;
  clock.advance(500);
  expect([slow.isEnded, other.isEnded]).toEqual([true, false]);
  expect(stream.listeners).toBe(1);
});

test('stops looking when nobody listens any more, and lets everybody go when it is stopped', () => {
  listen().destroy();
  clock.advance(500);
  expect(clock.waiting).toBe(0);
  const listener = listen();
  stream.stop();
  expect(listener.isEnded).toBe(true);
  expect(clock.waiting).toBe(0);
});
