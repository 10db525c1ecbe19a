import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadedFiles } from './loaded-files.ts';
import { importsOf, plainJavaScript, startedSiblings } from './plain-javascript.ts';
import { stripElf } from './strip-elf.ts';
import type { PackedFile } from './tar-archive.ts';

export interface PackingInit {
  /** The repository's root, with its packages installed. */
  readonly root: string;
  /** Of the tree that is packed; `-changed` behind it where files differ from the commit. */
  readonly commit: string;
  /** Vulkan's loader, or null to leave it to the machine. */
  readonly vulkanLoader: Uint8Array | null;
}

/** The folder that the archive unpacks to. */
export const kitName = 'consilium-gpu-kit';

const runtime = 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64';
/** What runs on the target: all else is found from here. */
const entries = [new URL('./kit-main.ts', import.meta.url), new URL('./part.ts', import.meta.url)];
/** Files that are read and not imported, and where they go. */
const besides: readonly (readonly [from: string, to: string])[] = [
  ['scripts/src/gpu-kit/run.sh', 'run.sh'],
  ['scripts/src/gpu-kit/torch-unet.py', 'app/scripts/gpu-kit/torch-unet.py'],
  ['scripts/src/reference-unet-torch.py', 'app/scripts/reference-unet-torch.py'],
  ['packages/docs/guides/gpu-kit.md', 'README.md'],
  ['LICENSE', 'LICENSE'],
];

/** Everything that the kit consists of: programs as plain JavaScript, the Node that runs them, onnxruntime, Vulkan's loader. */
export function packingList({ root, commit, vulkanLoader }: PackingInit): PackedFile[] {
  const node = join(root, 'node_modules/node/bin/node');
  const read = (path: string): Buffer => readFileSync(join(root, path));
  const native = readdirSync(join(root, runtime)).map((name) => `${runtime}/${name}`);
  const programs = programFiles(root, node).filter((path) => !path.endsWith('.node'));
  const files: PackedFile[] = [
    { path: 'bin/node', bytes: stripElf(read('node_modules/node/bin/node')), executable: true },
    ...native.map((path) => packed(`app/${path}`, stripElf(read(path)))),
    ...programs.map((path) => packed(placeOf(path), program(path, read(path)))),
    ...manifests(programs, root),
    ...besides.map(([from, to]) => ({ ...packed(to, read(from)), executable: to === 'run.sh' })),
  ];
  if (vulkanLoader !== null) files.push(packed('lib/vulkan/libvulkan.so.1', vulkanLoader));
  const digest = createHash('sha256');
  for (const { path, bytes } of files) digest.update(path).update(bytes);
  const { version }: { version: string } = JSON.parse(read('package.json').toString());
  const about = { version, commit, contents: digest.digest('hex') };
  files.push(packed('kit.json', Buffer.from(`${JSON.stringify(about, null, 2)}\n`)));
  return files.map((file) => ({ ...file, path: `${kitName}/${file.path}` }));
}

/** What the entries load, and what any of that starts as a worker; from the root, sorted. */
function programFiles(root: string, node: string): string[] {
  const found = new Set<string>();
  for (let next = entries.map((url) => relative(root, fileURLToPath(url))); next.length > 0; ) {
    const loaded = loadedFiles(
      node,
      next.map((path) => join(root, path)),
    );
    const fresh = loaded.map((file) => relative(root, file)).filter((path) => !found.has(path));
    for (const path of fresh) found.add(path);
    next = fresh
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) =>
        startedSiblings(readFileSync(join(root, path), 'utf8')).map((name) =>
          join(dirname(path), `${name}.ts`),
        ),
      )
      .filter((path) => !found.has(path));
  }
  return [...found].sort();
}

/** Packages of this repository become packages among the others: Node finds them as it finds those. */
function placeOf(path: string): string {
  return `app/${path
    .replace(/^packages\//, 'node_modules/@consilium/')
    .replace(/^scripts\/src\//, 'scripts/')
    .replace(/\.ts$/, '.js')}`;
}

function program(path: string, bytes: Buffer): Uint8Array {
  return path.endsWith('.ts') ? Buffer.from(plainJavaScript(bytes.toString())) : bytes;
}

/**
 * Each package's `package.json`, those in folders within it (which say how the files there are written), and its licence. For
 * packages of this repository the entries point to the packed sources.
 */
function manifests(programs: readonly string[], root: string): PackedFile[] {
  const folders = new Set(programs.flatMap((path) => foldersOf(path)));
  return [...folders].flatMap((folder) => {
    const names = readdirSync(join(root, folder)).filter(
      (name) => name === 'package.json' || /^licen[cs]e/i.test(name),
    );
    return names.map((name) => {
      const bytes = readFileSync(join(root, folder, name));
      const own = name === 'package.json' && !folder.startsWith('node_modules');
      const text = own ? Buffer.from(ownManifest(bytes.toString())) : bytes;
      return packed(placeOf(`${folder}/${name}`), text);
    });
  });
}

/** The folders from a file's own up to its package's. */
function foldersOf(path: string): string[] {
  const top = packageOf(path);
  const folders: string[] = [];
  for (let folder = dirname(path); folder.length >= top.length; folder = dirname(folder)) {
    folders.push(folder);
  }
  return folders;
}

function ownManifest(text: string): string {
  const { name, version, type, license, exports = {} } = JSON.parse(text);
  const sources = Object.entries<Record<string, string>>(exports).map(([entry, conditions]) => [
    entry,
    (conditions['@consilium/source'] ?? '').replace(/\.ts$/, '.js'),
  ]);
  const manifest = { name, version, type, license, exports: Object.fromEntries(sources) };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function packageOf(path: string): string {
  const named = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+|^packages\/[^/]+|^scripts/.exec(path);
  if (named === null) throw new RangeError(`${path} belongs to no package`);
  return named[0];
}

function packed(path: string, bytes: Uint8Array): PackedFile {
  return { path, bytes, executable: false };
}

/** Imported only when a site asks for TensorFlow.js, which the kit does not bring. */
const leftOut = /^\.\/tfjs-engine\.js$|^@tensorflow\//;

/** Imports of packed programs that lead nowhere in the kit, as `FILE: IMPORT`. Node's own modules are always there; TensorFlow.js may be missing. */
export function unresolvedImports(files: readonly PackedFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path));
  const app = `${kitName}/app`;
  const there = (path: string): boolean =>
    ['', '.js', '.json', '.node', '/index.js', '/package.json'].some((end) =>
      paths.has(path + end),
    );
  return files
    .filter(({ path }) => /\.[cm]?js$/.test(path))
    .flatMap(({ path, bytes }) =>
      importsOf(Buffer.from(bytes).toString())
        .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))
        .filter((name) => !leftOut.test(name))
        .filter((name) => {
          if (name.startsWith('.')) return !there(join(dirname(path), name));
          const [scope = '', base] = name.split('/');
          const owner = name.startsWith('@') ? `${scope}/${base}` : scope;
          return !there(`${app}/node_modules/${owner}`);
        })
        .map((name) => `${path.slice(kitName.length + 1)}: ${name}`),
    );
}

/** Whether the repository's packages are installed as the kit needs them. */
export function canPack(root: string): boolean {
  return existsSync(join(root, 'node_modules/node/bin/node')) && existsSync(join(root, runtime));
}
