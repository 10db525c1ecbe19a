import { expect, test } from 'vitest';
import { importsOf, plainJavaScript, startedSiblings } from './plain-javascript.ts';

test('types go, relative imports end in .js, lines stay where they were', () => {
  const source = `import { a } from './a.ts';\nimport type { B } from '../b.ts';\nexport const c: B = a('x.ts');\n`;
  const lines = plainJavaScript(source).split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[0]).toBe("import { a } from './a.js';");
  expect(lines[1]?.trim()).toBe('');
  expect(lines[2]?.replace(/\s+/g, ' ')).toBe("export const c = a('x.ts');");
});

test('finds every way to ask for a module, and none in comments', () => {
  const source = [
    "import x from 'one';",
    "export * from './two.js';",
    "import './three.js';",
    "const y = await import('four');",
    'const z = require("five");',
    "// import 'six';",
    " * require('seven')",
  ].join('\n');
  expect(importsOf(source).sort()).toEqual(['./three.js', './two.js', 'five', 'four', 'one']);
});

test('finds the sibling that is started as a worker', () => {
  const source = `new Worker(new URL(\`./one-worker.\${extension}\`, import.meta.url));`;
  expect(startedSiblings(source)).toEqual(['one-worker']);
  expect(startedSiblings("new URL('./two-worker.ts', import.meta.url)")).toEqual(['two-worker']);
  expect(startedSiblings("new URL('../pretrained/x.conw', import.meta.url)")).toEqual([]);
});
