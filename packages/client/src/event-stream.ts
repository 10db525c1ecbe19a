import { ClientError } from './error.ts';

/** One message of a `text/event-stream`: its fields by name, each at most once; several `data` lines are joined by newlines. */
export type StreamMessage = ReadonlyMap<string, string>;

/** The most that one message may have, in characters. */
const maxMessageLength = 64 * 1024;

/**
 * Reads a stream of server-sent events. A message without fields, such as a lone comment, comes as an empty one: that the other side is alive is news as
 * well. What follows the last empty line is no message.
 *
 * Unlike a browser's, this reader keeps fields of every name.
 *
 * @throws {ClientError} `ANSWER` for a message above the limit. @throws what `chunks` throws.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export async function* readMessages(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamMessage> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    for (;;) {
      const [found] = /\r\n\r\n|\n\n|\r\r/.exec(text) ?? [];
      if (found === undefined) break;
      const end = text.indexOf(found);
      yield fieldsOf(text.slice(0, end));
      text = text.slice(end + found.length);
    }
    if (text.length > maxMessageLength) {
      throw new ClientError('ANSWER', `an event of more than ${maxMessageLength} characters`);
    }
  }
}

function fieldsOf(message: string): StreamMessage {
  const fields = new Map<string, string>();
  for (const line of message.split(/\r\n|\n|\r/)) {
    const [, name = '', value = ''] = /^([^:]+)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === '') continue;
    const before = fields.get(name);
    fields.set(name, name === 'data' && before !== undefined ? `${before}\n${value}` : value);
  }
  return fields;
}
