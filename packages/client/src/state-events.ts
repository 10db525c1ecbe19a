import { signatureHeader, verifyAnswer } from './answer-signature.ts';
import { type StateEvent, stateEvent } from './answers.ts';
import { ClientError } from './error.ts';
import { readMessages, type StreamMessage } from './event-stream.ts';
import {
  type AskOptions,
  bodyOf,
  type ClientComponents,
  MAX_ANSWER_BYTES,
  type NodeAddress,
  type Opened,
  open,
  parsed,
  refusal,
  sha256,
} from './exchange.ts';

const target = '/v1/events';
/** A node says something at least every 15 seconds; one that is silent for this long is gone. */
const silenceMs = 60_000;
const pauseMs = 2_000;

/**
 * The node's states as they come: first the one that it has, then every new one, until `signal` aborts. When the line breaks it is taken up again, and what
 * was missed comes as the state of then; the same digest is never given twice in a row.
 *
 * @throws {ClientError} `REFUSED` when the node will not tell, `SIGNATURE`, `ANSWER`. @throws the signal's reason.
 */
export async function* stateEvents(
  components: ClientComponents,
  node: NodeAddress,
  { signal }: AskOptions = {},
): AsyncGenerator<StateEvent> {
  let last: string | null = null;
  for (;;) {
    try {
      for await (const event of connection(components, node, signal)) {
        if (event.digest === last) continue;
        last = event.digest;
        yield event;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(error)) throw error;
    }
    await components.pause(pauseMs, signal);
  }
}

/** The events of one connection, until it ends or falls silent. */
async function* connection(
  components: ClientComponents,
  node: NodeAddress,
  signal: AbortSignal | undefined,
): AsyncGenerator<StateEvent> {
  const silence = new AbortController();
  const either = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
  const opened = await open(components, node, target, { accept: 'text/event-stream' }, either);
  const { response } = opened;
  if (response.status !== 200) {
    throw refusal(opened, node, target, await bodyOf(response, MAX_ANSWER_BYTES, signal));
  }
  let sequence = -1;
  let watch = watched(components, silence);
  try {
    for await (const message of readMessages(response.body ?? nothing())) {
      watch.abort();
      watch = watched(components, silence);
      if (message.get('event') !== 'state') continue;
      const event = verified(message, opened, node);
      if (event.sequence <= sequence) {
        throw new ClientError('SIGNATURE', 'an event of this connection came twice');
      }
      sequence = event.sequence;
      yield event;
    }
  } catch (cause) {
    if (cause instanceof ClientError) throw cause;
    signal?.throwIfAborted();
    throw new ClientError('UNREACHABLE', 'the stream of events broke off', { cause });
  } finally {
    watch.abort();
    silence.abort();
  }
}

/** Ends the connection unless it is called off within {@link silenceMs}. */
function watched({ pause }: ClientComponents, silence: AbortController): AbortController {
  const calledOff = new AbortController();
  pause(silenceMs, calledOff.signal).then(
    () => silence.abort(new ClientError('UNREACHABLE', 'the stream of events fell silent')),
    () => undefined,
  );
  return calledOff;
}

function verified(message: StreamMessage, { nonce }: Opened, node: NodeAddress): StateEvent {
  const data = message.get('data') ?? '';
  verifyAnswer(message.get(signatureHeader) ?? null, node.site, {
    target,
    status: 200,
    nonce,
    contentType: 'application/json',
    digest: sha256(new TextEncoder().encode(data)),
  });
  return parsed(data, stateEvent, target);
}

/** Whether it may be better in a moment: the line broke, or the node is busy. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  const status = error.problem?.status;
  return error.code === 'UNREACHABLE' || status === 429 || status === 503;
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
