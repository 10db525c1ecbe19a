import type { Page } from './page.ts';

/** A worked example as it stands in a page: `<!-- example: name -->` and a fenced block of text after it. */
export interface ExampleBlock {
  readonly name: string;
  readonly text: string;
}

const block = /(<!-- example: ([a-z-]+) -->\n```text\n)((?:(?!```).*\n)*)(```\n)/g;

/** The worked examples of a page. */
export function exampleBlocks({ text }: Page): ExampleBlock[] {
  return [...text.matchAll(block)].map(([, , name = '', body = '']) => ({
    name,
    text: body.trimEnd(),
  }));
}

/** The page's text with every example that `examples` has written anew. */
export function withExamples({ text }: Page, examples: ReadonlyMap<string, string>): string {
  return text.replace(block, (whole, open: string, name: string, _body, close: string) => {
    const fresh = examples.get(name);
    return fresh === undefined ? whole : `${open}${fresh}\n${close}`;
  });
}
