import type { AuditProgress } from '@consilium/study/audit';

/** Where progress is shown: a terminal, or whatever takes its place. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const barWidth = 24;
/** How often a terminal's line is drawn. */
const drawMs = 200;
/** Elsewhere a line is written whenever so much more is done, of work that takes longer than this. */
const stepShare = 0.25;
const quickMs = 1_000;

/** One line that says how far a long work is: a bar, the rate, and the time left. On a terminal it is drawn over and over; elsewhere a line for every quarter is written. */
export class ProgressLine {
  readonly #what: string;
  readonly #output: ProgressOutput;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #startBytes: number | null = null;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #nextShare = stepShare;
  #isOpen = false;

  /** @param what is being done, in a word or two */
  constructor(what: string, output: ProgressOutput, nowMs: () => number) {
    this.#what = what;
    this.#output = output;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  show({ doneBytes, totalBytes }: AuditProgress): void {
    this.#startBytes ??= doneBytes;
    const share = totalBytes === 0 ? 1 : doneBytes / totalBytes;
    const nowMs = this.#nowMs();
    if (!this.#isDue(share, nowMs)) return;
    this.#drawnMs = nowMs;
    this.#nextShare = share + stepShare;
    const text = `${this.#what} ${bar(share)} ${this.#pace(doneBytes, totalBytes, nowMs)}`;
    this.#isOpen = this.#output.isTTY === true;
    this.#output.write(this.#isOpen ? `\r${text}\u001b[K` : `${text}\n`);
  }

  #isDue(share: number, nowMs: number): boolean {
    if (this.#output.isTTY === true) return share >= 1 || nowMs - this.#drawnMs >= drawMs;
    return nowMs - this.#startMs >= quickMs && share >= Math.min(1, this.#nextShare);
  }

  /** Leaves the line, so that what is printed next stands by itself. */
  end(): void {
    if (this.#isOpen) this.#output.write('\n');
    this.#isOpen = false;
  }

  #pace(doneBytes: number, totalBytes: number, nowMs: number): string {
    const seconds = (nowMs - this.#startMs) / 1000;
    const rate = seconds > 0 ? (doneBytes - (this.#startBytes ?? 0)) / seconds : 0;
    if (rate <= 0) return byteWords(totalBytes);
    const left = Math.ceil((totalBytes - doneBytes) / rate);
    return `${byteWords(doneBytes)} of ${byteWords(totalBytes)}, ${byteWords(rate)}/s, ${left} s left`;
  }
}

/** A number of bytes as people read it. */
export function byteWords(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? Math.round(value) : value.toPrecision(3)} ${units[power]}`;
}

function bar(share: number): string {
  const filled = Math.round(Math.min(1, share) * barWidth);
  const percent = String(Math.floor(100 * share)).padStart(3);
  return `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] ${percent} %`;
}
