import { ComputeError } from '@consilium/compute';
import { ImagingError } from '@consilium/imaging';
import { LogError } from '@consilium/log';
import { NodeError } from './error.ts';
import type { Logger } from './logger.ts';

/**
 * Does `work` and says whether it succeeded. A failure is logged with its code, and is its caller's to try again; being aborted is no failure.
 *
 * @throws what trying again does not mend and a person must: a full disk, a disk that is an old copy, images that cannot be
 * read, and an engine that is not there.
 */
export async function attempt(
  what: string,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
  work: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    if (isForGood(error)) throw error;
    const { code = 'UNKNOWN', message = String(error) } = error as {
      code?: string;
      message?: string;
    };
    logger.warn({ what, code }, message);
    return false;
  }
}

function isForGood(error: unknown): boolean {
  if (error instanceof ImagingError) return true;
  if (error instanceof ComputeError && error.code === 'PROVIDER_MISSING') return true;
  if (error instanceof NodeError && error.code === 'ROLLED_BACK') return true;
  return (error instanceof LogError || error instanceof NodeError) && error.code === 'DISK_FULL';
}
