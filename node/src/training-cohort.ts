import { type Patient, readPngCohort } from '@consilium/imaging';
import { type LesionTask, type PreparedPatient, preparePatient } from '@consilium/model';
import { generateCohort } from './generated-cohort.ts';
import type { CohortSource } from './training-messages.ts';

/**
 * The cohorts of one training process. What was read or prepared is kept for the next job as long as all of it
 * together stays within `limitBytes`; the oldest goes first.
 */
export class CohortCache {
  readonly #limitBytes: number;
  readonly #kept = new Map<string, { patients: readonly unknown[]; bytes: number }>();

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** How many patients the source names. */
  count(source: CohortSource): number {
    return source.kind === 'phantom' ? source.patients : source.patients.length;
  }

  /** @throws {ImagingError} */
  async *patients(source: CohortSource, signal: AbortSignal): AsyncGenerator<Patient, void, void> {
    const key = `read ${JSON.stringify(source)}`;
    const kept = this.#take<Patient>(key);
    if (kept !== undefined) {
      yield* kept;
      return;
    }
    const all: Patient[] = [];
    for await (const patient of open(source, signal)) {
      all.push(patient);
      yield patient;
    }
    this.#keep(key, all, (patient) => patient.scan.voxels.length * 6);
  }

  /** @throws {ImagingError} @throws {ModelError} `MASK_MISSING`, `SCAN_INVALID`. */
  async prepared(
    source: CohortSource,
    task: LesionTask,
    signal: AbortSignal,
  ): Promise<readonly PreparedPatient[]> {
    const key = `prepared ${JSON.stringify([source, task.network.size, task.input])}`;
    const kept = this.#take<PreparedPatient>(key);
    if (kept !== undefined) {
      return kept;
    }
    const prepared: PreparedPatient[] = [];
    for await (const patient of open(source, signal)) {
      signal.throwIfAborted();
      prepared.push(preparePatient(patient, task));
    }
    this.#keep(key, prepared, (patient) => patient.image.length * 6);
    return prepared;
  }

  #take<T>(key: string): readonly T[] | undefined {
    const entry = this.#kept.get(key);
    if (entry !== undefined) {
      // Set again, so that the map's order is the order of last use.
      this.#kept.delete(key);
      this.#kept.set(key, entry);
    }
    return entry?.patients as readonly T[] | undefined;
  }

  #keep<T>(key: string, patients: readonly T[], bytesOf: (patient: T) => number): void {
    const bytes = patients.reduce((sum, patient) => sum + bytesOf(patient), 0);
    this.#kept.set(key, { patients, bytes });
    let total = [...this.#kept.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    for (const [oldest, entry] of this.#kept) {
      if (total <= this.#limitBytes) {
        return;
      }
      this.#kept.delete(oldest);
      total -= entry.bytes;
    }
  }
}

function open(source: CohortSource, signal: AbortSignal): AsyncIterable<Patient> {
  if (source.kind === 'png') {
    const { folder, patients, flippedTopToBottom = [] } = source;
    return readPngCohort(folder, { patients, flippedTopToBottom, signal });
  }
  return generateCohort(source, signal);
}
