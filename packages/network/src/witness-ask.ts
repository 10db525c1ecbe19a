import type { CosignRequest } from '@consilium/log';
import type { SiteId } from '@consilium/records';
import { NetworkError } from './error.ts';
import type { Exchange } from './exchange.ts';
import {
  type CosignReply,
  decodeWitnessAnswer,
  encodeWitnessRequest,
  type NoteClaim,
  type WitnessAnswer,
  type WitnessRequest,
} from './witness-message.ts';
import type { Witnessing } from './witnessing.ts';

/** Asks a member to cosign. @throws {NetworkError} when the peer breaks the protocol or the line breaks. */
export async function askToCosign(
  exchange: Exchange,
  request: CosignRequest,
): Promise<CosignReply> {
  const answer = await ask(exchange, { type: 'cosign', request });
  switch (answer.type) {
    case 'cosigned':
    case 'conflict':
    case 'contradiction':
    case 'refused':
      return answer;
    default:
      throw unasked(answer);
  }
}

/**
 * Takes from one peer every note that tells something new. Returns how many were taken.
 *
 * @throws {NetworkError} when the peer breaks the protocol, hands out a note that is not what it claimed, or the line breaks.
 */
export async function pullNotes(
  exchange: Exchange,
  site: SiteId,
  witnessing: Witnessing,
): Promise<number> {
  const latest = await ask(exchange, { type: 'latest' });
  if (latest.type !== 'latest') {
    throw unasked(latest);
  }
  let taken = 0;
  for (const claim of latest.notes) {
    if (await witnessing.wants(claim)) {
      taken += await pullNote(exchange, site, witnessing, claim);
    }
  }
  return taken;
}

async function pullNote(
  exchange: Exchange,
  site: SiteId,
  witnessing: Witnessing,
  claim: NoteClaim,
): Promise<number> {
  const { author, size } = claim;
  const answer = await ask(exchange, { type: 'note', author, size });
  if (answer.type === 'absent') {
    // It has a newer one by now; the next pull brings that.
    return 0;
  }
  if (answer.type !== 'note') {
    throw unasked(answer);
  }
  if (!(await witnessing.take(site, claim, answer.note))) {
    throw new NetworkError('PROTOCOL_VIOLATION', `not the note of ${author} that was claimed`);
  }
  return 1;
}

async function ask(exchange: Exchange, request: WitnessRequest): Promise<WitnessAnswer> {
  return decodeWitnessAnswer(await exchange.ask(encodeWitnessRequest(request)));
}

function unasked({ type }: WitnessAnswer): NetworkError {
  return new NetworkError('PROTOCOL_VIOLATION', `nobody asked for ${type}`);
}
