import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withExamples } from './example-blocks.ts';
import { workedExamples } from './examples.ts';
import { readPages, root } from './page.ts';

// Writes every worked example of the specifications anew. Read the difference before you commit it: it is a change of format.
const examples = await workedExamples();
for (const page of readPages()) {
  const text = withExamples(page, examples);
  if (text !== page.text) writeFileSync(join(root, page.path), text);
}
