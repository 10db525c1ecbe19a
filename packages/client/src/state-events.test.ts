import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { signAnswer, signatureHeader } from './answer-signature.ts';
import type { StateEvent } from './answers.ts';
import { type Asked, componentsOn, type Said, SigningNode } from './signing-node-fixture.ts';
import { stateEvents } from './state-events.ts';

let node: SigningNode;
let components: ReturnType<typeof componentsOn>;
beforeEach(() => {
  node = new SigningNode(() => said([]));
  // The watch over silence stands still; only what waits between connections passes at once.
  const { pause, ...rest } = componentsOn(node);
  components = {
    ...rest,
    pause: (delayMs, signal) =>
      delayMs < 10_000
        ? pause(delayMs, signal)
        : new Promise((_, reject) =>
            signal?.addEventListener('abort', () => reject(signal.reason)),
          ),
  };
});

const digestOf = (n: number): string => n.toString(16).padStart(64, '0');
const event = (sequence: number, n: number): StateEvent => ({
  sequence,
  digest: digestOf(n),
  rounds: n,
  isComplete: true,
});

/** A message as a node writes it, for one question. */
function message(
  asked: Asked,
  told: StateEvent,
  change: (text: string) => string = (x) => x,
): string {
  const data = JSON.stringify(told);
  const digest = createHash('sha256').update(data).digest();
  const { target, nonce } = asked;
  const claim = { target, status: 200, nonce, contentType: 'application/json', digest };
  return change(
    `event: state\nid: ${told.digest}\ndata: ${data}\n${signatureHeader}: ${signAnswer(node.key, claim)}\n\n`,
  );
}

/** A stream that gives these texts and then ends, or stays open. */
function said(texts: readonly string[], staysOpen = false): Said {
  return {
    contentType: 'text/event-stream',
    body: '',
    sent: new ReadableStream({
      start(controller) {
        for (const text of texts) controller.enqueue(Buffer.from(text));
        if (!staysOpen) controller.close();
      },
    }),
  };
}

async function take(count: number): Promise<number[]> {
  const stopped = new AbortController();
  const rounds: number[] = [];
  const events = stateEvents(
    components,
    { address: node.address, site: node.key.id },
    { signal: stopped.signal },
  );
  for await (const { rounds: n } of events) {
    rounds.push(n);
    if (rounds.length === count) return rounds;
  }
  return rounds;
}

test('gives each state once, takes a broken line up again, and passes over what it knows', async () => {
  node.answer = (asked) => {
    const first = node.asked.length === 1;
    return first
      ? said([': hello\n\n', message(asked, event(0, 1)), message(asked, event(1, 2))])
      : said([message(asked, event(0, 2)), ': alive\n\n', message(asked, event(1, 5))], true);
  };
  expect(await take(3)).toEqual([1, 2, 5]);
  expect(node.asked).toHaveLength(2);
});

describe('does not give an event that', () => {
  test.each<[string, (asked: Asked) => string[]]>([
    [
      'was changed',
      (asked) => [message(asked, event(0, 1), (x) => x.replace('"rounds":1', '"rounds":2'))],
    ],
    [
      'is not signed',
      (asked) => [message(asked, event(0, 1), (x) => x.replace(/consilium.*\n/, ''))],
    ],
    [
      'is of another connection',
      (asked) => [message({ ...asked, nonce: 'x'.repeat(32) }, event(0, 1))],
    ],
    ['came before', (asked) => [message(asked, event(1, 1)), message(asked, event(0, 3))]],
  ])('%s', async (_, texts) => {
    node.answer = (asked) => said(texts(asked), true);
    await expect(take(2)).rejects.toMatchObject({ code: 'SIGNATURE' });
  });
});

test('has patience with a node that is busy, and none with one that refuses', async () => {
  const refusal = (status: number): Said => ({
    status,
    contentType: 'application/problem+json',
    body: JSON.stringify({ type: 'x', title: 'x', status, detail: 'no', code: 'X' }),
    isSigned: false,
  });
  node.answer = (asked) =>
    node.asked.length < 3
      ? refusal(node.asked.length === 1 ? 503 : 429)
      : said([message(asked, event(0, 4))], true);
  expect(await take(1)).toEqual([4]);
  node.answer = () => refusal(403);
  await expect(take(1)).rejects.toMatchObject({ code: 'REFUSED', problem: { status: 403 } });
});

test('a node that falls silent is asked again', async () => {
  const silences: (() => void)[] = [];
  const { pause } = components;
  components = {
    ...components,
    pause: (delayMs, signal) =>
      delayMs < 10_000 ? pause(delayMs, signal) : new Promise((resolve) => silences.push(resolve)),
  };
  node.answer = ({ init, ...asked }) => {
    if (node.asked.length > 1) return said([message({ init, ...asked }, event(0, 9))], true);
    return {
      ...said([]),
      // As a real connection: silent, and ended by the signal.
      sent: new ReadableStream({
        start: (controller) => {
          init.signal?.addEventListener('abort', () => controller.error(init.signal?.reason));
          setImmediate(() => silences.shift()?.());
        },
      }),
    };
  };
  expect(await take(1)).toEqual([9]);
  expect(node.asked).toHaveLength(2);
});
