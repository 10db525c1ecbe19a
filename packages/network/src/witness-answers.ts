import type { SiteId } from '@consilium/records';
import type { PeerGuard } from './peer-guard.ts';
import type { Answers } from './serve.ts';
import {
  decodeWitnessRequest,
  encodeWitnessAnswer,
  type WitnessAnswer,
  type WitnessRequest,
} from './witness-message.ts';
import type { Witnessing } from './witnessing.ts';

/** Protocol id of the exchange of checkpoints and cosignatures. */
export const WITNESS_PROTOCOL = '/consilium/witness/1';

/**
 * The serving side of `witness` towards one member. To cosign means to write to the disk and to wait for it, so that a member above its rate waits, here and not
 * in the witness: it holds up nobody else.
 */
export function witnessAnswers(
  witnessing: Witnessing,
  site: SiteId,
  guard: Pick<PeerGuard, 'cosign'>,
  signal: AbortSignal,
): Answers {
  async function answerTo(message: WitnessRequest): Promise<WitnessAnswer> {
    switch (message.type) {
      case 'cosign':
        await guard.cosign(signal);
        return witnessing.cosign(site, message.request);
      case 'latest':
        return { type: 'latest', notes: witnessing.claims() };
      case 'note': {
        const note = await witnessing.note(message.author, message.size);
        return note === undefined ? { type: 'absent' } : { type: 'note', note };
      }
    }
  }
  return async function* answer(requests) {
    for await (const bytes of requests) {
      yield encodeWitnessAnswer(await answerTo(decodeWitnessRequest(bytes)));
    }
  };
}
