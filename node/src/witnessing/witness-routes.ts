import { NodeError } from '../error.ts';
import type { Answer, Routes } from '../http.ts';
import type { LogEvidence } from './log-evidence.ts';
import type { Notes } from './open-notes.ts';

/** What the node's own command line asks about witnesses. */
export function witnessRoutes(notes: Pick<Notes, 'view'>, evidence: LogEvidence): Routes {
  return {
    '/witnesses': () => ({ type: 'application/json', body: JSON.stringify(notes.view()) }),
    '/log/checkpoint': (query) => given(async () => evidence.checkpoint(query.get('site') ?? '')),
    '/log/proof': (query) =>
      given(() =>
        evidence.prove(query.get('site') ?? '', Number(query.get('index') ?? Number.NaN)),
      ),
  };
}

async function given(give: () => Promise<Uint8Array>): Promise<Answer> {
  try {
    return { type: 'text/plain; charset=utf-8', body: await give() };
  } catch (error) {
    if (error instanceof NodeError && error.code === 'NOT_WITNESSED') {
      return { type: 'text/plain', status: 404, body: `${error.message}\n` };
    }
    throw error;
  }
}
