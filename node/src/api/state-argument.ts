import { stateName } from '@consilium/client';
import { NodeError } from '../error.ts';
import type { QueriesHere } from './queries-here.ts';

const form = '`latest`, round:N, a digest, or its first eight digits or more';

/**
 * The name of the state that a person means: `latest`, `round:N`, a digest, or a beginning of one that no other known state shares.
 *
 * @throws {NodeError} `USAGE` for any other text and for a beginning that several share, `STATE_UNKNOWN` for one that none has.
 */
export async function stateArgument(queries: QueriesHere, text: string): Promise<string> {
  if (stateName.safeParse(text).success) return text;
  if (!/^[0-9a-f]{8,63}$/.test(text)) {
    throw new NodeError('USAGE', `${text} names no state`, form);
  }
  const found = [...(await knownDigests(queries))].filter((digest) => digest.startsWith(text));
  const [digest, ...others] = found;
  if (digest === undefined) {
    throw new NodeError(
      'STATE_UNKNOWN',
      `no state whose digest begins with ${text} is known here`,
      '`consilium state list` shows those of rounds; any other takes its whole digest',
    );
  }
  if (others.length > 0) {
    throw new NodeError('USAGE', `${found.length} states begin with ${text}`, 'add digits');
  }
  return digest;
}

/** Of the latest state, of every round, and of every state that was evaluated. */
async function knownDigests(queries: QueriesHere): Promise<Set<string>> {
  const digests = new Set((await queries.evaluations()).cells.map(({ state }) => state));
  const limit = 100;
  for (let from = 0; ; from += limit) {
    const { latest, states } = await queries.states({ from, limit });
    for (const { digest } of [latest, ...states]) digests.add(digest);
    if (states.length < limit) return digests;
  }
}
