import type { Reporter, TestModule } from 'vitest/node';

/**
 * For the gate, where every tool and all data are there: fails the run when a test was skipped, naming it, and ends with one line of
 * counts that other programs can read.
 */
export class NoSkipsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number =>
      tests.filter((test) => test.result().state === state).length;
    for (const test of tests.filter((each) => each.result().state === 'skipped')) {
      process.stderr.write(`error: skipped: ${test.module.moduleId}: ${test.fullName}\n`);
    }
    if (count('skipped') > 0) process.exitCode = 1;
    process.stdout.write(
      `\n${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`,
    );
  }
}
