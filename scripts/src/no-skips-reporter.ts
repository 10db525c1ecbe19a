import type { Reporter, TestModule } from 'vitest/node';

/** Fails the run when a test was skipped, naming it: for the gate, where every tool and all data are there. */
export class NoSkipsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')]);
    for (const test of skipped) {
      process.stderr.write(`error: skipped: ${test.module.moduleId}: ${test.fullName}\n`);
    }
    if (skipped.length > 0) process.exitCode = 1;
  }
}
