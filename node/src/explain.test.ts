import { ImagingError } from '@consilium/imaging';
import { LogError } from '@consilium/log';
import { ModelError } from '@consilium/model';
import { NetworkError } from '@consilium/network';
import { RecordError } from '@consilium/records';
import { StudyError } from '@consilium/study';
import { WeightsError } from '@consilium/weights';
import { expect, test } from 'vitest';
import { NodeError } from './error.ts';
import { explain } from './explain.ts';
import { TrainerError } from './trainer.ts';

test.each([
  new ImagingError('TRUNCATED_IMAGE', 'ct/0001.png: ends after 40 bytes'),
  new LogError('STORE', 'cannot read the log: the storage failed'),
  new ModelError('TASK_INVALID', 'task.kind: must be one of lesion'),
  new NetworkError('LISTEN_FAILED', 'cannot listen'),
  new RecordError('KEY_FILE_MODE', 'site.key has mode 0644'),
  new StudyError('BAD_MANIFEST', 'cohorts sum to too much'),
  new TrainerError('PROCESS_LOST', 'the training process ended with SIGKILL'),
  new WeightsError('BAD_LAYOUT', 'a tensor without a name'),
])('$name is told in its own words, with something to do', (error) => {
  const explanation = explain(error);
  expect(explanation?.error).toBe(error.message);
  expect(explanation?.hint).toMatch(/^\S.{10,}$/);
});

test('a node’s error brings its own hint', () => {
  expect(explain(new NodeError('DATA', 'no patient p9', 'name another'))).toEqual({
    error: 'no patient p9',
    hint: 'name another',
  });
});

test.each([
  ['ENOSPC', /space/],
  ['EDQUOT', /space/],
  ['EACCES', /permission/],
  ['EROFS', /permission/],
  ['EISDIR', /folder/],
  ['EMFILE', /EMFILE/],
])('a failure of the system, %s, names its file and says what to do', (code, hint) => {
  const cause = Object.assign(new Error(`${code}: it failed, open '/data/site.key'`), {
    code,
    syscall: 'open',
    path: '/data/site.key',
  });
  const explanation = explain(cause);
  expect(explanation?.error).toContain('/data/site.key');
  expect(explanation?.hint).toMatch(hint);
  expect(explain(new Error('while it wrote', { cause }))).toEqual(explanation);
});

test('what is nobody’s error keeps its stack trace', () => {
  expect(explain(new TypeError('x is not a function'))).toBeNull();
  expect(explain(Object.assign(new Error('usage'), { code: 'ERR_INVALID_ARG' }))).toBeNull();
  expect(explain('a text')).toBeNull();
  expect(explain(null)).toBeNull();
});

test('the explanation is one line each, whatever the message', () => {
  const explanation = explain(new RecordError('KEY_FILE_CONTENT', 'one\ntwo'));
  expect(explanation?.error).toBe('one two');
});
