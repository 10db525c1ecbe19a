import { decodePayload, type GridVector, toGrid, WeightsError } from '@consilium/weights';
import type { AcceptedUpdate } from './decide.ts';
import type { Fault } from './ledger.ts';
import type { Founding } from './manifest.ts';

/** An update's payload that counts: its integers as they were sent, and on the study's grid. */
export interface OpenPayload {
  readonly sent: GridVector;
  readonly grid: Int32Array;
}

/** What is wrong with a payload, and what refused it when the format did. */
export interface PayloadFault extends Fault {
  readonly cause: WeightsError | null;
}

/** Opens the payload that an update names, or says why it does not count. `bytes` must have the update's digest. */
export function openPayload(
  founding: Founding,
  update: Pick<AcceptedUpdate, 'payloadBytes'>,
  bytes: Uint8Array,
): OpenPayload | PayloadFault {
  if (bytes.length !== update.payloadBytes) {
    const message = `the payload has ${bytes.length} bytes, the record says ${update.payloadBytes}`;
    return { code: 'BAD_PAYLOAD', message, cause: null };
  }
  try {
    const sent = decodePayload(founding.layout, bytes);
    const grid = toGrid(sent, founding.manifest.gridExponent);
    if (!changesFrozen(grid, founding.frozen)) return { sent, grid };
    const message = 'the payload changes a tensor that nobody trains';
    return { code: 'FROZEN_CHANGED', message, cause: null };
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    return { code: 'BAD_PAYLOAD', message: error.message, cause: error };
  }
}

export function isFault(opened: OpenPayload | PayloadFault): opened is PayloadFault {
  return 'code' in opened;
}

function changesFrozen(update: Int32Array, frozen: Uint8Array | null): boolean {
  if (frozen === null) return false;
  for (let i = 0; i < update.length; i++) {
    if (frozen[i] === 1 && update[i] !== 0) return true;
  }
  return false;
}
