import { NetworkError } from './error.ts';
import type { LogView } from './log-view.ts';
import type { Answers } from './serve.ts';
import { encodeSummary, type Summary } from './summary.ts';
import { decodeSyncRequest, encodeSyncMessage, type SyncRequest } from './sync-message.ts';

/** Protocol id of the exchange of version vectors and entries. */
export const SYNC_PROTOCOL = '/consilium/sync/1';

/**
 * The serving side of `sync`: a summary for the peer's summary, which must come first and once, then
 * entries and fork proofs as asked. `onSummary` hears what the peer claims to hold.
 */
export function syncAnswers(view: LogView, onSummary: (claims: Summary) => void): Answers {
  return async function* answer(requests) {
    let greeted = false;
    for await (const bytes of requests) {
      const request = decodeSyncRequest(bytes);
      checkOrder(request, greeted);
      greeted = true;
      if (request.type === 'summary') {
        // Before the answer leaves, so that both sides compare the same state.
        const summary = view.summary();
        onSummary(request.summary);
        yield encodeSummary(summary);
      } else if (request.type === 'read') {
        const entries = await view.read(request.author, request.from, request.count);
        yield encodeSyncMessage({ type: 'entries', entries });
      } else {
        const entries = await view.proof(request.author);
        yield encodeSyncMessage({ type: 'proof', entries });
      }
    }
  };
}

function checkOrder(request: SyncRequest, greeted: boolean): void {
  if ((request.type === 'summary') === greeted) {
    throw new NetworkError('PROTOCOL_VIOLATION', 'a sync stream starts with one summary');
  }
}
