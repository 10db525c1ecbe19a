import { stripTypeScriptTypes } from 'node:module';

/** The source without its types and with its relative imports ending in `.js`: lines and columns stay. Only erasable syntax is taken. */
export function plainJavaScript(source: string): string {
  return stripTypeScriptTypes(source, { mode: 'strip' }).replace(
    /(['"])(\.{1,2}\/[^'"\n]*)\.ts\1/g,
    '$1$2.js$1',
  );
}

/** The siblings that a source starts as workers or processes by their file's name, without extension: no import tells of them. */
export function startedSiblings(source: string): string[] {
  const started = /new URL\(['"`]\.\/([\w-]+)\.(?:[jt]s|\$\{\w+\})['"`], import\.meta\.url\)/g;
  return [...source.matchAll(started)].map(([, name = '']) => name);
}

/** What a JavaScript source imports, requires or re-exports by a fixed name; a name in a comment line does not count. */
export function importsOf(source: string): string[] {
  const code = source.replace(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const patterns = [
    /\b(?:from|import)\s*(['"])([^'"\n]+)\1/g,
    /\b(?:import|require)\s*\(\s*(?:\/\*.*?\*\/\s*)?(['"])([^'"\n]+)\1\s*\)/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map(([, , name = '']) => name));
}
