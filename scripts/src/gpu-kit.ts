// Packs one archive with all that it takes to check this repository's compute on a bare Linux machine with a GPU: Node, onnxruntime,
// Vulkan's loader, our packages. There it needs tar and bash, no network, no npm. The guide is packages/docs/guides/gpu-kit.md.
//   node scripts/src/gpu-kit.ts [--out dist/gpu-kit.tar.gz] [--vulkan-loader PATH|none]
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { packingList, unresolvedImports } from './gpu-kit/packing-list.ts';
import { gzipInPieces, tarArchive } from './gpu-kit/tar-archive.ts';
import { textTable } from './gpu-kit/text-table.ts';
import { readVulkanLoader } from './gpu-kit/vulkan-loader.ts';

const limitMib = 64;

const root = join(import.meta.dirname, '..', '..');
const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, 'dist', 'gpu-kit.tar.gz') },
    'vulkan-loader': { type: 'string' },
  },
});

const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
const changed = git('status', '--porcelain') !== '';
const commit = `${git('rev-parse', 'HEAD')}${changed ? '-changed' : ''}`;
const loader = options['vulkan-loader'];
const vulkanLoader = loader === 'none' ? null : readVulkanLoader(loader);
const files = packingList({ root, commit, vulkanLoader });
const missing = unresolvedImports(files);
if (missing.length > 0) throw new Error(`the kit would lack:\n${missing.join('\n')}`);

const archive = await gzipInPieces(tarArchive(files));
mkdirSync(dirname(options.out), { recursive: true });
writeFileSync(options.out, archive);

const parts = Map.groupBy(files, ({ path }) => path.split('/').slice(1, 3).join('/'));
console.log(
  textTable(
    ['part', 'files', 'MiB'],
    [...parts].map(([part, all]) => [
      part,
      all.length,
      all.reduce((sum, { bytes }) => sum + bytes.length, 0) / 2 ** 20,
    ]),
  ),
);
const sizeMib = archive.length / 2 ** 20;
console.log(`commit  ${commit}`);
if (vulkanLoader !== null) console.log(`libvulkan.so.1  sha256 ${sha256(vulkanLoader)}`);
console.log(`${options.out}  ${sizeMib.toFixed(2)} MiB  sha256 ${sha256(archive)}`);
if (sizeMib > limitMib) {
  console.error(`error: the kit is larger than ${limitMib} MiB`);
  process.exitCode = 1;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
