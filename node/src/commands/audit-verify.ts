import { writeFile } from 'node:fs/promises';
import {
  type AuditOptions,
  type AuditReport,
  openBundleFile,
  reportHtml,
  reportText,
  verifyBundle,
} from '@consilium/study/audit';
import { ProgressLine } from '../audit/progress-line.ts';
import { NodeError } from '../error.ts';
import { usage } from '../usage.ts';
import { type Command, textOption } from './command.ts';

const form = 'audit verify FILE [--study ID] [--json] [--html FILE]';

export const auditVerify: Command = {
  usage: form,
  summary:
    'check a bundle offline, believing nobody: exit code 0 nothing found, 1 findings, 2 cannot be read',
  options: {
    /** The study that the auditor was told: a bundle of another one is a finding. */
    study: { type: 'string' },
    json: { type: 'boolean' },
    html: { type: 'string' },
  },
  positionals: 1,
  async run(invocation) {
    const { positionals, options, print, signal } = invocation;
    const file = positionals[0] as string;
    const study = textOption(invocation, 'study');
    if (study !== undefined && !/^[0-9a-f]{64}$/.test(study)) {
      throw usage('a study is named by 64 hexadecimal digits', form);
    }
    const line = new ProgressLine('verifying', process.stderr, () => performance.now());
    const onProgress: AuditOptions['onProgress'] = (progress) => line.show(progress);
    const report = await verified(file, study, { signal, onProgress }).finally(() => line.end());
    if (report === null) {
      print('stopped; nothing is known about the bundle');
      process.exitCode = 130;
      return;
    }
    const html = textOption(invocation, 'html');
    if (html !== undefined) await writeFile(html, reportHtml(report));
    print(options['json'] === true ? JSON.stringify(report, null, 2) : reportText(report));
    process.exitCode = report.isSound ? 0 : 1;
  },
};

/**
 * Null when it was stopped.
 * @throws {NodeError} `BUNDLE_UNREADABLE` when nothing can be said about the file, whatever the reason.
 */
async function verified(
  file: string,
  study: string | undefined,
  options: AuditOptions,
): Promise<AuditReport | null> {
  try {
    await using bytes = await openBundleFile(file);
    return await verifyBundle(bytes, study === undefined ? {} : { study }, options);
  } catch (cause) {
    if (options.signal?.aborted === true) return null;
    throw new NodeError(
      'BUNDLE_UNREADABLE',
      `${file} cannot be read as an audit bundle: ${cause instanceof Error ? cause.message : cause}`,
      'get the file again, and compare its size: a transfer may have cut or changed it; nothing is known about the study from it',
      { cause },
    );
  }
}
