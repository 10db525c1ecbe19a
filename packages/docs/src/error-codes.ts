import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './page.ts';

/** The stable codes of one union in the sources, such as `LogErrorCode`. */
export interface CodeUnion {
  /** Name of the type. */
  readonly name: string;
  readonly codes: readonly string[];
}

/** Every exported union of codes in the sources of the packages and of the node: `type …Code = 'A' | 'B';`. */
export function codeUnions(): CodeUnion[] {
  const packages = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));
  return [...packages, join(root, 'node')]
    .map((folder) => join(folder, 'src'))
    .filter((source) => !source.includes(join('packages', 'docs')))
    .flatMap(sourceFiles)
    .flatMap((file) => unionsIn(readFileSync(file, 'utf8')));
}

/** The unions that a source text declares. */
export function unionsIn(text: string): CodeUnion[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
  return [...code.matchAll(/export type (\w+Code) =([^;]+);/g)].map(([, name = '', body = '']) => ({
    name,
    codes: [...body.matchAll(/'([A-Z][A-Z0-9_]*)'/g)].map(([, value = '']) => value),
  }));
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => join(folder, name));
}
