import type { DiffAnswer, EvaluationCell, StateAnswer, StateOutline } from '@consilium/client';

// What the command line prints about states. Absences are loud: a round of two of three says so in capitals.

export function* stateLines(state: StateAnswer): Iterable<string> {
  yield `state     ${state.digest}${namesText(state)}`;
  yield `study     ${state.study}`;
  yield state.isComplete
    ? 'complete  yes'
    : `complete  NO: ${state.missing.length} payloads are missing, the digest is provisional`;
  for (const { author, size, root } of state.heads)
    yield `log       ${author.slice(-8)} ${String(size).padStart(6)}  ${root}`;
  for (const { round, given, absent } of state.participation) {
    const names = given.map(({ name, counted }) => (counted ? name : `${name} (NOT COUNTED)`));
    yield `round ${String(round).padEnd(4)}${names.join(', ')}${absentText(absent)}`;
  }
  if (state.participation.length === 0) yield 'round     none yet: the initial weights';
  yield* evaluationLines(state.evaluations);
}

export function* outlineLines(states: readonly StateOutline[]): Iterable<string> {
  for (const state of states) {
    const complete = state.isComplete ? '' : '  INCOMPLETE';
    yield `${String(state.rounds).padStart(6)}  ${state.digest}${complete}${absentText(state.absent)}`;
  }
}

export function* diffLines({ a, b, isSame, distance, logs }: DiffAnswer): Iterable<string> {
  yield `a         ${a.digest}${namesText(a)}`;
  yield `b         ${b.digest}${namesText(b)}`;
  yield isSame
    ? 'weights   the same'
    : `weights   apart by ${distance.toExponential(3)} (relative L2)`;
  for (const { name, sizeA, sizeB } of logs)
    yield `log       ${name.padEnd(20)} ${sizeA} records in a, ${sizeB} in b`;
  if (logs.length === 0) yield 'log       all the same';
}

function* evaluationLines(cells: readonly EvaluationCell[]): Iterable<string> {
  if (cells.length === 0) yield 'evaluated by nobody';
  for (const { name, role, patients, isSuppressed, metrics } of cells) {
    if (isSuppressed) {
      yield `evaluated by ${name} (${role}): too few patients to show`;
      continue;
    }
    yield `evaluated by ${name} (${role}), some ${patients} patients`;
    for (const metric of metrics) {
      const interval =
        metric.low === null || metric.high === null
          ? ''
          : `  [${metric.low.toFixed(3)}, ${metric.high.toFixed(3)}]`;
      yield `          ${metric.name.padEnd(40)} ${metric.value.toFixed(3)}${interval}`;
    }
  }
}

function namesText({ names }: StateOutline): string {
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}

function absentText(absent: readonly { readonly name: string }[]): string {
  return absent.length === 0 ? '' : `  ABSENT: ${absent.map(({ name }) => name).join(', ')}`;
}
