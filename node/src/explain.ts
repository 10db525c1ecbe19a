import { NodeError } from './error.ts';

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
  PROVIDER_MISSING:
    '`consilium doctor compute` tells what works here and what to install; then set compute.engine in consilium.yaml (a software adapter: compute.allowSoftware: true, or --allow-software for the doctor)',
  OUT_OF_MEMORY:
    'not even one sample fits: free memory, or let the node compute on another device: compute.engine in consilium.yaml',
  ENGINE_FAILED:
    'if it repeats, `consilium doctor compute` tells which engines work here; then set compute.engine in consilium.yaml',
  BAD_POLICY:
    'see `consilium privacy plan --help` for what can be asked for, and the page on privacy for each term',
  NO_NOISE_MULTIPLIER: 'ask for a larger ε, fewer rounds, or a smaller batch',
  BUDGET_EXHAUSTED: 'the site goes on as a member and trains no more: there is no override',
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

// By name and not by class: a command that only prints should not load the whole network to tell an error.
const classes: ReadonlySet<string> = new Set([
  'ComputeError',
  'ImagingError',
  'LogError',
  'ModelError',
  'NetworkError',
  'PrivacyError',
  'RecordError',
  'StudyError',
  'TrainerError',
  'WeightsError',
]);

/** An error of this node or of one of the packages below it. */
function ours(error: unknown): Explanation | null {
  if (error instanceof NodeError) return { error: error.message, hint: error.hint };
  if (!(error instanceof Error && classes.has(error.name) && 'code' in error)) return null;
  const otherwise =
    error.name === 'ImagingError'
      ? 'mend or leave out that file; the node does not guess about images'
      : `code ${error.code}; the documentation of errors tells more`;
  return { error: error.message, hint: hints[String(error.code)] ?? otherwise };
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
