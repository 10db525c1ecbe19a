import { ImagingError } from '@consilium/imaging';
import { LogError } from '@consilium/log';
import { ModelError } from '@consilium/model';
import { NetworkError } from '@consilium/network';
import { RecordError } from '@consilium/records';
import { StudyError } from '@consilium/study';
import { WeightsError } from '@consilium/weights';
import { NodeError } from './error.ts';
import { TrainerError } from './trainer.ts';

/** An error as a person should read it. */
export interface Explanation {
  readonly error: string;
  readonly hint: string;
}

const hints: Readonly<Record<string, string>> = {
  KEY_FILE_MODE: 'only the owner may read a key: chmod 600 on that file',
  KEY_FILE_MISSING: 'run `consilium init --folder DIR` first, or name the folder with --folder',
  KEY_FILE_EXISTS: 'a key is never overwritten; name another folder with --folder',
  KEY_FILE_CONTENT: 'restore the key from your backup; a site cannot sign without it',
  DISK_FULL: 'free some space and start the node again; nothing that was acknowledged is lost',
  STORE:
    'check the disk; the node verifies its logs at the next start and refills what is missing from peers',
  MISSING_FOLDER: 'check data.train.folder and data.test.folder in consilium.yaml',
  NO_INITIAL_WEIGHTS:
    'start the node while another member is reachable: the initial weights come from there',
  LISTEN_FAILED:
    'mend network.listen in consilium.yaml: addresses of this machine, e.g. /ip4/0.0.0.0/tcp/4001',
  BAD_MANIFEST: 'ask the founder: the manifest contradicts itself',
};

const systemHints: Readonly<Record<string, string>> = {
  ENOSPC: hints['DISK_FULL'] as string,
  EDQUOT: hints['DISK_FULL'] as string,
  EACCES: 'give the account that runs the node permission to use it',
  EPERM: 'give the account that runs the node permission to use it',
  EROFS: 'the disk is mounted read-only: mount it with permission to write',
  EISDIR: 'that is a folder; name a file',
  ENOTDIR: 'a part of that path is a file, not a folder',
  ENOENT: 'check the path',
};

/** What a person is told about `error`, in one line each, or null when it is none of ours: then the stack trace is the best there is. */
export function explain(error: unknown): Explanation | null {
  const explanation = ours(error) ?? systems(error);
  return explanation && { error: oneLine(explanation.error), hint: oneLine(explanation.hint) };
}

function ours(error: unknown): Explanation | null {
  if (error instanceof NodeError) return { error: error.message, hint: error.hint };
  if (error instanceof ImagingError)
    return {
      error: error.message,
      hint:
        hints[error.code] ?? 'mend or leave out that file; the node does not guess about images',
    };
  if (
    error instanceof RecordError ||
    error instanceof LogError ||
    error instanceof StudyError ||
    error instanceof ModelError ||
    error instanceof NetworkError ||
    error instanceof WeightsError ||
    error instanceof TrainerError
  ) {
    return {
      error: error.message,
      hint: hints[error.code] ?? `code ${error.code}; the documentation of errors tells more`,
    };
  }
  return null;
}

/** A failed call to the operating system, itself or as the cause of another error. */
function systems(error: unknown): Explanation | null {
  if (!(error instanceof Error)) return null;
  if (!('syscall' in error && 'code' in error && typeof error.code === 'string'))
    return systems(error.cause);
  return {
    error: error.message,
    hint:
      systemHints[error.code] ??
      `the operating system refused with ${error.code}; its manual tells what that means`,
  };
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
