import type { Bundle } from './bundle.ts';
import {
  authorOfName,
  digestOfName,
  foundingName,
  initialName,
  stateName,
} from './bundle-index.ts';
import type { Evidence } from './evidence.ts';
import type { Answer } from './verdict.ts';

/**
 * Hashes what nobody has read, and finds files that nothing names.
 *
 * @param evidence null where nothing founds the study: then nothing names a file
 * @throws {StudyError} `BUNDLE_DAMAGED`.
 */
export async function checkRest(
  bundle: Bundle,
  evidence: Evidence | null,
  answer: Answer,
): Promise<void> {
  for (const { name } of bundle.unread()) await bundle.check(name);
  if (evidence === null) return;
  const named = new Set(
    bundle.index.payloads ? evidence.decisions.updates.map(({ payload }) => payload) : [],
  );
  for (const { name } of bundle.index.files) {
    if (isNamed(name, named)) continue;
    const message = `nothing in the bundle names ${name}`;
    answer.find({ code: 'UNNAMED_FILE', site: null, index: null, message });
  }
}

function isNamed(name: string, payloads: ReadonlySet<string>): boolean {
  if ([foundingName, initialName, stateName].includes(name)) return true;
  const digest = digestOfName(name);
  if (digest !== null) return payloads.has(digest);
  return (['checkpoints', 'forks', 'logs'] as const).some(
    (kind) => authorOfName(kind, name) !== null,
  );
}
