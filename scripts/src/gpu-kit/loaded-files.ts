import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Every file that Node itself loads for `entries`, these included, sorted: what is imported or required, directly or not, while
 * they are loaded. What is imported only when it is needed is not among them.
 *
 * @param node the Node that will run them. @throws when one of `entries` cannot be loaded.
 */
export function loadedFiles(node: string, entries: readonly string[]): string[] {
  const args = ['--conditions=@consilium/source', import.meta.filename, ...entries];
  const said = execFileSync(node, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const marker = said.indexOf(mark);
  const files: string[] = JSON.parse(said.slice(marker + mark.length));
  return files;
}

// What modules print while they are loaded comes before it.
const mark = createHash('sha256').update('loaded files').digest('hex');

if (import.meta.main) {
  const files = new Set<string>();
  registerHooks({
    load(url, context, next) {
      if (url.startsWith('file:')) files.add(fileURLToPath(url));
      return next(url, context);
    },
  });
  for (const entry of process.argv.slice(2)) await import(pathToFileURL(entry).href);
  process.stdout.write(`${mark}${JSON.stringify([...files].sort())}`);
}
