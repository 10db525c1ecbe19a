import { type AuditOptions, type BundleOutline, outlineBundle } from '@consilium/study/audit';
import { askNode } from '../ask-node.ts';
import { checkFree, partialPath, writeBundle } from '../audit/bundle-output.ts';
import { byteWords, ProgressLine } from '../audit/progress-line.ts';
import { siteParts } from '../audit/site-parts.ts';
import { NodeError } from '../error.ts';
import { readJoined } from '../founding.ts';
import { exists, readRunning, type SiteFolder } from '../site-folder.ts';
import { openStores } from '../stores.ts';
import { usage } from '../usage.ts';
import { type Command, type Invocation, textOption } from './command.ts';

const form = 'audit export -o FILE [--no-payloads] [--incomplete]';

export const auditExport: Command = {
  usage: form,
  summary: 'write all that an auditor needs into one file, while the node is stopped',
  options: {
    out: { type: 'string', short: 'o' },
    /** Without the updates themselves: small, and what it says about the model cannot be computed again. */
    'no-payloads': { type: 'boolean' },
    /** Also while payloads are missing: the shown state is then without them, and an audit says so. */
    incomplete: { type: 'boolean' },
  },
  positionals: 0,
  async run(invocation) {
    const { folder, options, print, signal } = invocation;
    const out = textOption(invocation, 'out');
    if (out === undefined) throw usage('a file to write is needed', form);
    await checkFree(out);
    await checkStopped(folder);
    const founding = await readJoined(folder);
    await using stores = await openStores(folder);
    const payloads = options['no-payloads'] !== true;
    const outline = await outlineBundle(await siteParts(founding, stores), { payloads });
    if (options['incomplete'] !== true) checkComplete(outline);
    const { records, updates, bytes } = outline;
    const what = payloads ? 'with their payloads' : 'without their payloads';
    print(`${out}: ${byteWords(bytes)}, ${records} records, ${updates} updates ${what}`);
    try {
      const planned = await outline.plan(shown('reading', signal));
      const there = await writeBundle(out, planned, shown('writing', signal));
      if (there > 0) print(`went on behind ${byteWords(there)} that were written before`);
      print(`state ${planned.index.state.digest}`);
      print(`done; anybody can check it with: consilium audit verify ${out}`);
    } catch (error) {
      if (!signal.aborted) throw error;
      await sayStopped(invocation, out);
    }
  },
};

/** Progress of one stretch of work, on standard error. */
function shown(what: string, signal: AbortSignal): AuditOptions {
  const line = new ProgressLine(what, process.stderr, () => performance.now());
  return {
    signal,
    onProgress(progress) {
      line.show(progress);
      if (progress.doneBytes >= progress.totalBytes) line.end();
    },
  };
}

async function checkStopped(folder: SiteFolder): Promise<void> {
  if ((await readRunning(folder)) === null || (await askNode(folder, '/status')) === null) return;
  throw new NodeError(
    'FOLDER_IN_USE',
    `the node of ${folder.root} is running, and has its stores to itself`,
    'stop it, export, and start it again: the study goes on meanwhile, and the node catches up',
  );
}

function checkComplete({ missing }: BundleOutline): void {
  const [first] = missing;
  if (first === undefined) return;
  throw new NodeError(
    'BUNDLE_INCOMPLETE',
    `${missing.length} payloads that the records name are not here, ${first.slice(0, 16)}… the first of them`,
    'start the node while other members can be reached, so that it fetches them; with --incomplete the bundle is written without them, and an audit says so',
  );
}

async function sayStopped({ print }: Invocation, out: string): Promise<void> {
  const partial = partialPath(out);
  process.stderr.write('\n');
  print(
    (await exists(partial))
      ? `stopped; the same command goes on from what is in ${partial}`
      : 'stopped; nothing was written',
  );
  process.exitCode = 130;
}
