export { type GuessCount, type Guesses, guessMembers } from './guesses.ts';
export { oneRunEpsilon } from './one-run.ts';
export { oneRunMu } from './one-run-trade-off.ts';
export { type RocArea, rocArea } from './roc.ts';
export { gaussianEpsilon } from './trade-off.ts';
