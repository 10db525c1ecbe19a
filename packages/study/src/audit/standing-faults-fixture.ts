import { archive } from './archive-fixture.ts';
import { AuditStudy } from './audit-fixture.ts';
import { checkpointFileName } from './bundle-index.ts';
import {
  changed,
  evaluation,
  type Fault,
  laidOut,
  nothing,
  open,
  payload,
  validator,
} from './fault-fixture.ts';
import { changeRoster, handOn } from './roster-fixture.ts';

/** For tests: what is wrong with who founds, speaks and vouches. */
export const standingFaults: readonly Fault[] = [
  {
    name: 'a key that speaks on after it has handed on',
    codes: ['STALE_KEY'],
    make: changed(
      async (study) => {
        await handOn(study, validator, 4);
        study.sign(validator, evaluation(2));
      },
      nothing,
      { ...open, spareKeys: 1 },
    ),
  },
  {
    name: 'a key that speaks on after its member was removed',
    codes: ['STALE_KEY'],
    make: changed(async (study) => {
      const key = study.key(validator).id;
      const until = [{ key, at: study.size(validator) }];
      await changeRoster(study, { kind: 'remove', site: key, until }, [0, 1, 2]);
      study.sign(validator, evaluation(2));
    }),
  },
  {
    name: 'a log of a key that nobody knows',
    codes: ['STRANGER_LOG'],
    make: laidOut((parts, study) => {
      const stranger = new AuditStudy({ ...open, patients: [20, 30, 50, 60] });
      const { envelope } = stranger.sign(4, evaluation(1), { study: study.study });
      return { ...parts, logs: new Map([...parts.logs, [stranger.key(4).id, [envelope]]]) };
    }),
  },
  {
    name: 'a checkpoint with a changed signature',
    codes: ['BAD_CHECKPOINT', 'MISSING_QUORUM'],
    make: changed(nothing, ({ files }, study) => {
      const name = [...files.keys()].find((each) => each.includes(`points/${study.key(1).id}`));
      const text = Buffer.from(files.get(name as string) as Uint8Array).toString('utf8');
      const at = text.indexOf('—') + text.slice(text.indexOf('—')).indexOf('=') - 12;
      const other = text[at] === 'A' ? 'B' : 'A';
      files.set(name as string, Buffer.from(text.slice(0, at) + other + text.slice(at + 1)));
    }),
  },
  {
    name: 'a checkpoint of another log of the same key',
    codes: ['CHECKPOINT_DIFFERS', 'MISSING_QUORUM'],
    make: async () => {
      const study = await new AuditStudy(open).run();
      const parts = study.parts();
      const { id } = study.key(1);
      const log = study.logs.get(id) ?? [];
      const other = study.sign(1, evaluation(1), { index: 1, previous: new Uint8Array(32) });
      study.logs.set(id, [log[0] as Uint8Array, other.envelope]);
      const notes = parts.notes.map((each) =>
        each.author === id ? { author: id, note: study.note(1) } : each,
      );
      return archive({ ...parts, notes });
    },
  },
  {
    name: 'a cosignature that the witness did not make',
    codes: ['BAD_COSIGNATURE', 'MISSING_QUORUM'],
    make: laidOut((parts, study) => ({
      ...parts,
      notes: parts.notes.map(({ author, note }) => {
        if (author !== study.key(1).id) return { author, note };
        const lines = Buffer.from(note).toString('utf8').split('\n');
        const own = lines.findIndex((line) => line.includes(study.key(0).id));
        const others = lines.filter((_, i) => i < 4 || i === 4 || i === own);
        const line = others.at(-1) as string;
        const at = line.length - 20;
        others[others.length - 1] =
          line.slice(0, at) + (line[at] === 'A' ? 'B' : 'A') + line.slice(at + 1);
        return { author, note: Buffer.from(`${others.join('\n')}\n`) };
      }),
    })),
  },
  {
    name: 'a log that one member too few has cosigned',
    codes: ['MISSING_QUORUM'],
    make: laidOut((parts, study) => ({
      ...parts,
      notes: parts.notes.map(({ author, note }) =>
        author === study.key(1).id ? { author, note: study.note(1, 1) } : { author, note },
      ),
    })),
  },
  {
    name: 'an update of a member that does not train',
    codes: ['NOT_A_TRAINER'],
    make: changed(async (study) =>
      study.give(
        validator,
        1,
        await study.state(validator),
        payload(study, () => 5),
      ),
    ),
  },
  {
    name: 'the founding record of another study',
    codes: ['BAD_FOUNDING'],
    make: changed(nothing, ({ files }) => {
      const other = new AuditStudy({ ...open, rounds: 5 });
      files.set('manifest.cbor', other.manifest.envelope);
    }),
  },
  {
    name: 'a checkpoint under a name that is not its size',
    codes: ['BAD_CHECKPOINT'],
    make: changed(nothing, ({ files }, study) => {
      const { id } = study.key(0);
      const name = [...files.keys()].find((each) =>
        each.startsWith(`checkpoints/${id}/`),
      ) as string;
      const note = files.get(name) as Uint8Array;
      files.delete(name);
      files.set(checkpointFileName(id, 1), note);
    }),
  },
];
