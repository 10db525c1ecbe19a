import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The repository's root. */
export const root: string = join(import.meta.dirname, '..', '..', '..');

/** One page of documentation. */
export interface Page {
  /** From the repository's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every page of this package, and those at the repository's root. */
export function readPages(): Page[] {
  const docs = join(root, 'packages', 'docs');
  const inDocs = readdirSync(docs, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => join(docs, name));
  const atRoot = readdirSync(root)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, name));
  return [...atRoot, ...inDocs].sort().map((file) => ({
    path: relative(root, file).replaceAll('\\', '/'),
    text: readFileSync(file, 'utf8'),
  }));
}

/** One page by its path from the repository's root. @throws {RangeError} when there is none. */
export function readPage(path: string): Page {
  const page = readPages().find((candidate) => candidate.path === path);
  if (page === undefined) throw new RangeError(`there is no page ${path}`);
  return page;
}

/** The text without fenced code, so that what looks like a heading or a link in it is none. */
export function prose(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '');
}

/** The anchors of a page's headings, as GitHub and most readers make them. */
export function anchorsOf({ text }: Page): Set<string> {
  const anchors = new Set<string>();
  for (const [, title = ''] of prose(text).matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const base = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = base;
    for (let n = 1; anchors.has(anchor); n += 1) anchor = `${base}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** A link as it stands in a page. */
export interface Link {
  readonly page: string;
  /** What is before the `#`; empty for a link within the page. */
  readonly target: string;
  readonly anchor: string | null;
}

/** The links of a page that lead to a file of this repository or to a place in one. */
export function linksOf({ path, text }: Page): Link[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, href = '']) => href)
    .filter((href) => !/^[a-z][a-z0-9+.-]*:/.test(href))
    .map((href) => {
      const [target = '', anchor] = href.split('#', 2);
      return { page: path, target, anchor: anchor ?? null };
    });
}

/** The paths of the repository that a page names in code marks, like `packages/log/src/tree.ts`. */
export function pathsNamedIn({ text }: Page): string[] {
  return [...prose(text).matchAll(/`((?:packages|node|scripts|test|\.ci)\/[\w./@-]+)`/g)].map(
    ([, path = '']) => path,
  );
}

/** The rows of the tables under a heading, cell by cell, headings of columns left out. */
export function tableRows({ text }: Page, heading: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ +/, '') === heading,
  );
  if (start < 0) throw new RangeError(`there is no heading ${heading}`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^#+ /.test(line));
  return rest
    .slice(0, end < 0 ? undefined : end)
    .filter(
      (line, i, all) =>
        line.startsWith('|') &&
        !/^\|[\s:|-]+\|$/.test(line) &&
        !/^\|[\s:|-]+\|$/.test(all[i + 1] ?? ''),
    )
    .map((line) =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim()),
    );
}
