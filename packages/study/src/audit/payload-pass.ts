import type { GridVector } from '@consilium/weights';
import type { AcceptedUpdate } from '../decide.ts';
import { isFault, type OpenPayload, openPayload, type PayloadFault } from '../open-payload.ts';
import type { BlobReader } from '../sum.ts';
import { initialName, payloadFileName } from './bundle-index.ts';
import { type Evidence, recordAt } from './evidence.ts';
import { type NoiseTerms, noiseTermsOf } from './noise-terms.ts';
import { condense, type UpdateNoise } from './update-noise.ts';
import type { Answer } from './verdict.ts';

/** Reads every payload once, judges it, and keeps of a private one what its noise tells. */
export class PayloadPass {
  /** What the study’s manifest implies for noise, or why it implies nothing. */
  readonly terms: NoiseTerms | string;
  readonly noises: UpdateNoise[] = [];
  readonly #evidence: Evidence;
  readonly #answer: Answer;
  readonly #onRead: (bytes: number) => void;
  #read = 0;
  #bytes = 0;
  #lacking = 0;

  /** @param onRead hears of the bytes of every payload that was read */
  constructor(evidence: Evidence, answer: Answer, onRead: (bytes: number) => void) {
    this.#evidence = evidence;
    this.#answer = answer;
    this.#onRead = onRead;
    this.terms = noiseTermsOf(evidence.founding);
  }

  /** Updates whose payload is not there, or is another one: the model is computed without them. */
  get lacking(): number {
    return this.#lacking;
  }

  get read(): { readonly payloads: number; readonly bytes: number } {
    return { payloads: this.#read, bytes: this.#bytes };
  }

  /** An update on the grid; null for one that does not count, and why goes into the answer. */
  async gridOf(update: AcceptedUpdate): Promise<Int32Array | null> {
    const opened = await this.#opened(update);
    if (opened === null) return null;
    if (typeof this.terms !== 'string') this.#keep(update, this.terms, opened.sent);
    return opened.grid;
  }

  async #opened(update: AcceptedUpdate): Promise<OpenPayload | null> {
    const { bundle, founding } = this.#evidence;
    const { author: site, index, payload } = update;
    const name = payloadFileName(payload);
    const file = bundle.file(name);
    if (file === undefined || file.sha256 !== payload) {
      this.#lacking++;
      const message =
        file === undefined
          ? `payload ${payload.slice(0, 16)}… is not in the bundle`
          : `what lies under ${payload.slice(0, 16)}… has SHA-256 ${file.sha256.slice(0, 16)}…`;
      const code = file === undefined ? 'PAYLOAD_MISSING' : 'PAYLOAD_DIGEST';
      this.#answer.find({ code, site, index, message });
      return null;
    }
    const bytes = await bundle.read(name);
    this.#read++;
    this.#bytes += bytes.length;
    this.#onRead(bytes.length);
    const opened = openPayload(founding, update, bytes);
    if (!isFault(opened)) return opened;
    this.#answer.find({ code: codeOf(opened), site, index, message: opened.message });
    return null;
  }

  #keep(update: AcceptedUpdate, terms: NoiseTerms, sent: GridVector): void {
    const record = recordAt(this.#evidence, update);
    if (!record?.known || record.kind !== 'update') return;
    const { speeches } = this.#evidence.history;
    const member = speeches.find((speech) => speech.member.site === update.site)?.member;
    const cohorts = (member?.terms ?? [])
      .filter(({ role }) => role === 'trainer')
      .map(({ patients }) => patients);
    this.noises.push({
      update,
      steps: record.body.steps,
      mostPatients: Math.max(...cohorts),
      leastPatients: Math.min(...cohorts),
      ...condense(terms, sent),
    });
  }
}

function codeOf({ code, cause }: PayloadFault): PayloadFault['code'] | 'OFF_GRID' {
  return cause?.code === 'OFF_GRID' || cause?.code === 'OUT_OF_RANGE' ? 'OFF_GRID' : code;
}

/** The payloads of a bundle by digest, the last few kept: states by themselves are made of the same ones again and again. */
export function payloadsOf({ bundle, founding }: Evidence, keptBytes: number): BlobReader {
  const initial = Buffer.from(founding.manifest.initialWeights.digest).toString('hex');
  const kept = new Map<string, Uint8Array>();
  let size = 0;
  return {
    async get(digest) {
      const known = kept.get(digest);
      if (known !== undefined) return known;
      const name = digest === initial ? initialName : payloadFileName(digest);
      if (bundle.file(name)?.sha256 !== digest) return undefined;
      const bytes = await bundle.read(name);
      kept.set(digest, bytes);
      size += bytes.length;
      for (const [oldest, { length }] of kept) {
        if (size <= keptBytes || oldest === digest) break;
        kept.delete(oldest);
        size -= length;
      }
      return bytes;
    },
  };
}
