import { createHash } from 'node:crypto';
import { loadKey, openRecord, RecordError, signRecord } from '@consilium/records';
import { NodeError } from '../error.ts';
import { foundStudy, memberOf } from '../founding.ts';
import { privacyLines, privacyOf } from '../privacy-view.ts';
import { exists, writeDurably } from '../site-folder.ts';
import { openStores } from '../stores.ts';
import { readPlan } from '../study-plan.ts';
import { type Command, textOption } from './command.ts';

export const studyCreate: Command = {
  usage: 'study create --plan PLAN.yaml --out FILE',
  summary: 'found a study: sign its manifest and write the founding file for the members',
  options: { plan: { type: 'string' }, out: { type: 'string' }, json: { type: 'boolean' } },
  positionals: 0,
  async run(invocation) {
    const { folder, options, print } = invocation;
    const planPath = textOption(invocation, 'plan');
    const out = textOption(invocation, 'out');
    if (planPath === undefined || out === undefined)
      throw new NodeError(
        'USAGE',
        'a plan and a file to write are needed',
        'consilium study create --plan PLAN.yaml --out FILE',
      );
    if (await exists(folder.study))
      throw new NodeError(
        'STUDY_EXISTS',
        `${folder.root} is in a study already`,
        'use a site folder of its own for each study',
      );
    const key = await loadKey(folder.key);
    const plan = await readPlan(planPath);
    const { manifest, payload } = foundStudy(plan, (bytes) =>
      createHash('sha256').update(bytes).digest(),
    );
    memberOf(manifest, key.id);
    await using stores = await openStores(folder);
    const head = stores.log.head(key.id);
    const envelope = signed(() =>
      signRecord(key, {
        kind: 'manifest',
        version: 1,
        study: null,
        author: key.id,
        index: head.size,
        previous: head.last,
        heads: [],
        body: manifest,
      }),
    );
    await stores.blobs.put(payload);
    await stores.log.append(envelope);
    await writeDurably(folder.study, envelope);
    await writeDurably(out, envelope);
    const study = Buffer.from(openRecord(envelope).id).toString('hex');
    if (options['json'] === true) {
      print(
        JSON.stringify({
          study,
          file: out,
          sites: manifest.roster.length,
          rounds: manifest.rounds.count,
        }),
      );
      return;
    }
    print(`study     ${study}`);
    for (const line of privacyLines(privacyOf(manifest))) print(line);
    print(`file      ${out}: hand it to every member, who runs \`consilium study join ${out}\``);
  },
};

function signed(sign: () => Uint8Array): Uint8Array {
  try {
    return sign();
  } catch (cause) {
    if (!(cause instanceof RecordError)) throw cause;
    throw new NodeError(
      'CONFIG',
      `the plan makes no valid manifest: ${cause.message}`,
      'mend the plan; the specification of records names every bound',
      { cause },
    );
  }
}
