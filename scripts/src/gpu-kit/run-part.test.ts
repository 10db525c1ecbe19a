import { expect, test } from 'vitest';
import { runForRows } from './run-part.ts';

const init = { env: {}, limitSeconds: 60 };
const rows = `require('node:fs').writeSync(3, '{"n":3}\\n{"n":5}\\n{"n":');`;
const run = (script: string, limitSeconds = 60) =>
  runForRows(process.execPath, ['-e', rows + script], { ...init, limitSeconds }, 3);

test('what a process said before it crashed is kept, but for a line that was cut off', async () => {
  const outcome = await run(`process.kill(process.pid, 'SIGSEGV')`);
  expect(outcome).toMatchObject({ rows: [{ n: 3 }, { n: 5 }], ended: 'crashed', why: 'SIGSEGV' });
});

test('a process that hangs is ended', async () => {
  const outcome = await run('while (true);', 1);
  expect(outcome).toMatchObject({ rows: [{ n: 3 }, { n: 5 }], ended: 'out of time' });
});

test('a process that fails gives its reason', async () => {
  const outcome = await run(`throw new RangeError('no such device')`);
  expect(outcome).toMatchObject({ ended: 'failed', why: 'RangeError: no such device' });
});

test('a command that is not there is told, not thrown', async () => {
  const outcome = await runForRows('/no/such/command', [], init, 1);
  expect(outcome).toMatchObject({ rows: [], ended: 'crashed' });
  expect(outcome.why).toContain('ENOENT');
});
