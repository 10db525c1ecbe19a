/**
 * The thread that runs one reading session of onnxruntime, whose runs would block the caller's event loop: it computes one batch while the caller prepares the next.
 *
 * It is told everything by {@link ReadingWorkerData}, answers once when its session is made or could not be, and then once for every run. It imports nothing but the runtime, so that it starts from sources without the importer's resolution.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** What the thread is started with. */
export interface ReadingWorkerData {
  readonly model: Uint8Array;
  readonly session: InferenceSession.SessionOptions;
  readonly inputs: readonly NamedShape[];
  readonly outputs: readonly NamedShape[];
}

export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Inputs for a run by name, or null: release the session and end. */
export type ToReadingWorker = Readonly<Record<string, Float32Array>> | null;

export type FromReadingWorker =
  /** Empty when the session has just been made. */
  | { readonly kind: 'outputs'; readonly outputs: Record<string, Float32Array<ArrayBuffer>> }
  /** The runtime's own words. */
  | { readonly kind: 'failed'; readonly words: string };

if (parentPort !== null) await serve(parentPort, workerData as ReadingWorkerData);

async function serve(port: MessagePort, data: ReadingWorkerData): Promise<void> {
  const answer = (message: FromReadingWorker, transfer: readonly ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer);
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(data.model, data.session);
  } catch (error) {
    answer({ kind: 'failed', words: wordsOf(error) });
    return;
  }
  port.on('message', async (message: ToReadingWorker) => {
    if (message === null) {
      await session.release();
      port.close();
      return;
    }
    try {
      const outputs = await run(session, data, message);
      answer(
        { kind: 'outputs', outputs },
        Object.values(outputs).map(({ buffer }) => buffer),
      );
    } catch (error) {
      answer({ kind: 'failed', words: wordsOf(error) });
    }
  });
  answer({ kind: 'outputs', outputs: {} });
}

async function run(
  session: InferenceSession,
  { inputs, outputs }: ReadingWorkerData,
  values: Readonly<Record<string, Float32Array>>,
): Promise<Record<string, Float32Array<ArrayBuffer>>> {
  const feeds: Record<string, Tensor> = {};
  for (const { name, shape } of inputs) {
    feeds[name] = new Tensor('float32', values[name] ?? new Float32Array(), shape);
  }
  const buffers: Record<string, Float32Array<ArrayBuffer>> = {};
  const fetches: Record<string, Tensor> = {};
  for (const { name, shape } of outputs) {
    const buffer = new Float32Array(shape.reduce((product, dim) => product * dim, 1));
    buffers[name] = buffer;
    fetches[name] = new Tensor('float32', buffer, shape);
  }
  await session.run(feeds, fetches);
  return buffers;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
