import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StudyFold, StudyState } from '@consilium/study';
import type { Author } from './author.ts';
import { NodeError } from './error.ts';
import type { FoundingRecord } from './founding.ts';
import type { Logger } from './logger.ts';
import { checkApproved, checkFits } from './roster-check.ts';
import { readRosterFile } from './roster-file.ts';
import { changeIdOf, rosterView } from './roster-view.ts';
import { isErrno } from './site-folder.ts';

/**
 * The folder in which the operator lays changes of the roster out for the running node to say. It belongs to the account that has the site's key; the
 * HTTP interface only answers.
 *
 * A change that could not apply is not said: its file is renamed to `….refused`.
 */
export class Outbox {
  readonly #folder: string;
  readonly #founding: FoundingRecord;
  readonly #logger: Logger;

  constructor(folder: string, founding: FoundingRecord, logger: Logger) {
    this.#folder = folder;
    this.#founding = founding;
    this.#logger = logger;
  }

  /** Says what lies there. @throws {LogError} when the disk fails. */
  async say(author: Author, fold: StudyFold, heads: StudyState['heads']): Promise<void> {
    for (const name of await this.#names()) {
      const path = join(this.#folder, name);
      try {
        const { study, body } = await readRosterFile(path);
        const view = rosterView(fold, this.#founding.verified.id);
        if (view === null) return;
        // Said already, before a crash.
        if (view.changes.some(({ id }) => id === changeIdOf(study, body))) {
          await rm(path);
          continue;
        }
        checkFits({ study, body }, this.#founding, view.roster);
        checkApproved({ study, body }, view.roster, view.needed);
        await author.say({ kind: 'roster-change', body }, heads);
        await rm(path);
        this.#logger.info({ number: body.number, kind: body.change.kind }, 'roster change signed');
      } catch (error) {
        if (!(error instanceof NodeError)) throw error;
        this.#logger.error(
          { file: name, error: error.message },
          'a change of the roster is refused',
        );
        await rename(path, `${path}.refused`);
      }
    }
  }

  async #names(): Promise<string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => name.endsWith('.cbor')).sort();
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }
}
