#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { auditExport } from './commands/audit-export.ts';
import { auditVerify } from './commands/audit-verify.ts';
import type { Command } from './commands/command.ts';
import { configPrint } from './commands/config-print.ts';
import { doctorCompute } from './commands/doctor-compute.ts';
import { identityRotate } from './commands/identity-rotate.ts';
import { identityShow } from './commands/identity-show.ts';
import { init } from './commands/init.ts';
import { logCheckpoint } from './commands/log-checkpoint.ts';
import { logProve } from './commands/log-prove.ts';
import { logShow } from './commands/log-show.ts';
import { logVerifyProof } from './commands/log-verify-proof.ts';
import { modelExport } from './commands/model-export.ts';
import { privacyPlanCommand } from './commands/privacy-plan.ts';
import { privacyShow } from './commands/privacy-show.ts';
import { rosterApprove } from './commands/roster-approve.ts';
import { rosterCommit } from './commands/roster-commit.ts';
import { rosterPropose } from './commands/roster-propose.ts';
import { rosterShow } from './commands/roster-show.ts';
import { start } from './commands/start.ts';
import { stateDiff } from './commands/state-diff.ts';
import { stateList } from './commands/state-list.ts';
import { stateShow } from './commands/state-show.ts';
import { status } from './commands/status.ts';
import { studyCreate } from './commands/study-create.ts';
import { studyJoin } from './commands/study-join.ts';
import { tokenCreate } from './commands/token-create.ts';
import { NodeError } from './error.ts';
import { explain } from './explain.ts';
import { siteFolder } from './site-folder.ts';

const commands: Readonly<Record<string, Command>> = {
  init,
  'identity show': identityShow,
  'identity rotate': identityRotate,
  'study create': studyCreate,
  'study join': studyJoin,
  start,
  status,
  'log show': logShow,
  'log checkpoint': logCheckpoint,
  'log prove': logProve,
  'log verify-proof': logVerifyProof,
  'roster show': rosterShow,
  'roster propose': rosterPropose,
  'roster approve': rosterApprove,
  'roster commit': rosterCommit,
  'privacy plan': privacyPlanCommand,
  'privacy show': privacyShow,
  'state show': stateShow,
  'state list': stateList,
  'state diff': stateDiff,
  'model export': modelExport,
  'audit export': auditExport,
  'audit verify': auditVerify,
  'token create': tokenCreate,
  'config print': configPrint,
  'doctor compute': doctorCompute,
};

/** Errors after which nothing is known: an audit that cannot read its file must not look like one that found something. */
const asIfUnused: ReadonlySet<string> = new Set(['USAGE', 'BUNDLE_UNREADABLE']);

/** Exit codes: 0 done, 1 failed, 2 used wrongly. */
async function main(words: readonly string[]): Promise<void> {
  if (words.length === 0 || words[0] === '--help' || words[0] === 'help') {
    console.log(help());
    return;
  }
  const [name, command] = findCommand(words);
  const { values, positionals } = parsed(command, words.slice(name.split(' ').length));
  if (values['help'] === true) {
    console.log(`consilium ${command.usage} [--folder DIR]\n${command.summary}`);
    return;
  }
  const { positionals: least, optionalPositionals = 0 } = command;
  if (positionals.length < least || positionals.length > least + optionalPositionals) {
    const wanted = optionalPositionals === 0 ? least : `${least} to ${least + optionalPositionals}`;
    throw new NodeError(
      'USAGE',
      `${name} takes ${wanted} words, got ${positionals.length}`,
      `consilium ${command.usage}`,
    );
  }
  const interrupted = new AbortController();
  for (const event of ['SIGINT', 'SIGTERM'] as const) {
    process.once(event, () => interrupted.abort(new Error(`stopped by ${event}`)));
  }
  await command.run({
    folder: siteFolder(typeof values['folder'] === 'string' ? values['folder'] : '.'),
    positionals,
    options: values,
    print: (text) => console.log(text),
    write: (bytes) =>
      new Promise((resolve, reject) =>
        process.stdout.write(bytes, (error) => (error ? reject(error) : resolve())),
      ),
    signal: interrupted.signal,
  });
}

function findCommand(words: readonly string[]): [string, Command] {
  for (const name of [words.slice(0, 2).join(' '), words[0] ?? '']) {
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command !== undefined) return [name, command];
  }
  throw new NodeError(
    'USAGE',
    `there is no command ${words.slice(0, 2).join(' ')}`,
    'consilium --help lists them',
  );
}

function parsed(
  command: Command,
  args: readonly string[],
): { values: Record<string, string | boolean | undefined>; positionals: string[] } {
  try {
    const options = {
      ...command.options,
      folder: { type: 'string' },
      help: { type: 'boolean' },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { values: values as Record<string, string | boolean | undefined>, positionals };
  } catch (cause) {
    throw new NodeError(
      'USAGE',
      cause instanceof Error ? cause.message : String(cause),
      `consilium ${command.usage} [--folder DIR]`,
      { cause },
    );
  }
}

function help(): string {
  const width = Math.max(...Object.values(commands).map(({ usage }) => usage.length));
  return [
    'consilium: hospitals learn one chest-CT model together, as peers. Research use only: not a medical device.',
    '',
    ...Object.values(commands).map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`),
    '',
    'Every command takes --folder DIR (the site; default: this folder) and --help. Those that print take --json.',
  ].join('\n');
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const explanation = explain(error);
  if (explanation === null) throw error;
  console.error(`error: ${explanation.error}\nhint: ${explanation.hint}`);
  process.exitCode = error instanceof NodeError && asIfUnused.has(error.code) ? 2 : 1;
}
