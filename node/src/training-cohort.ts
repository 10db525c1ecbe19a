import { type Patient, readPngCohort } from '@consilium/imaging';
import { type LesionTask, type PreparedPatient, preparePatient } from '@consilium/model';
import { generateMember } from './generated-patient.ts';
import type { CohortSource } from './training-messages.ts';

/**
 * The patients of one training process, whichever cohorts name them. What was read or prepared is kept for the next job as long as all of it
 * together stays within `limitBytes`; what was used longest ago goes first.
 */
export class CohortCache {
  readonly #limitBytes: number;
  readonly #kept = new Map<string, { value: Patient | PreparedPatient; bytes: number }>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** How many patients the source names. */
  count(source: CohortSource): number {
    return source.kind === 'phantom' ? source.patients : source.patients.length;
  }

  /** The patients in the order of the source. @throws {ImagingError} */
  async *patients(source: CohortSource, signal: AbortSignal): AsyncGenerator<Patient, void, void> {
    for (let index = 0; index < this.count(source); index++) {
      const key = `read ${memberKey(source, index)}`;
      const kept = this.#take(key);
      if (kept !== undefined) {
        yield kept as Patient;
        continue;
      }
      const patient = await openOne(source, index, signal);
      this.#keep(key, patient, patient.scan.voxels.length * 6);
      yield patient;
    }
  }

  /** @throws {ImagingError} @throws {ModelError} `MASK_MISSING`, `SCAN_INVALID`. */
  async prepared(
    source: CohortSource,
    task: LesionTask,
    signal: AbortSignal,
  ): Promise<readonly PreparedPatient[]> {
    const form = JSON.stringify([task.network.size, task.input]);
    const cohort: PreparedPatient[] = [];
    for (let index = 0; index < this.count(source); index++) {
      const key = `prepared ${form} ${memberKey(source, index)}`;
      let patient = this.#take(key) as PreparedPatient | undefined;
      if (patient === undefined) {
        patient = preparePatient(await openOne(source, index, signal), task);
        this.#keep(key, patient, patient.image.length * 6);
      }
      cohort.push(patient);
    }
    return cohort;
  }

  #take(key: string): Patient | PreparedPatient | undefined {
    const entry = this.#kept.get(key);
    if (entry !== undefined) {
      // Set again, so that the map's order is the order of last use.
      this.#kept.delete(key);
      this.#kept.set(key, entry);
    }
    return entry?.value;
  }

  #keep(key: string, value: Patient | PreparedPatient, bytes: number): void {
    this.#kept.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#kept) {
      if (this.#bytes <= this.#limitBytes) {
        return;
      }
      this.#kept.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }
}

/** Names one patient, the same from whichever cohort it is asked for. */
function memberKey(source: CohortSource, index: number): string {
  if (source.kind === 'phantom') {
    return JSON.stringify([source.profile, source.seed, source.size ?? null, index]);
  }
  const id = source.patients[index] as string;
  return JSON.stringify([source.folder, id, source.flippedTopToBottom?.includes(id) ?? false]);
}

async function openOne(source: CohortSource, index: number, signal: AbortSignal): Promise<Patient> {
  signal.throwIfAborted();
  // Messages, an abort among them, are heard between two patients.
  await new Promise((resolve) => setImmediate(resolve));
  if (source.kind === 'phantom') {
    return generateMember(source, index);
  }
  const id = source.patients[index] as string;
  const flippedTopToBottom = source.flippedTopToBottom?.filter((name) => name === id) ?? [];
  for await (const patient of readPngCohort(source.folder, {
    patients: [id],
    flippedTopToBottom,
    signal,
  })) {
    return patient;
  }
  throw new RangeError('the reader gave no patient for a name that it knows');
}
