import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

/**
 * Writes a module to `file` that makes onnxruntime fail in the process that loads it, and returns the arguments for that process.
 *
 * @param condition of one run, in JavaScript: it may name `runs` (how many this process has begun), `samples` of the image, and `once` (false from the first
 * failure in any process on)
 * @param words of the error
 */
export async function failingOnnx(
  file: string,
  condition: string,
  words: string,
): Promise<readonly string[]> {
  const compute = new URL('../../packages/compute/src/', import.meta.url).href;
  await writeFile(
    file,
    `import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
const { InferenceSession } = createRequire(${JSON.stringify(compute)})('onnxruntime-node');
const { run } = InferenceSession.prototype;
const mark = ${JSON.stringify(`${file}.failed`)};
let runs = 0;
InferenceSession.prototype.run = function (feeds, ...rest) {
  runs += 1;
  const samples = feeds.image?.dims[0] ?? 0;
  const once = !existsSync(mark);
  if (${condition}) {
    writeFileSync(mark, '');
    throw new Error(${JSON.stringify(words)});
  }
  return run.call(this, feeds, ...rest);
};
`,
  );
  return ['--conditions=@consilium/source', '--import', pathToFileURL(file).href];
}
