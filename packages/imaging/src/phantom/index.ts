export type { Confounder } from './confounder.ts';
export { type LesionKind, type Stage, stageOf } from './lesion.ts';
export { type Condition, type GeneratePatientOptions, generatePatient } from './patient.ts';
export { createRandom, type Random } from './random.ts';
export { type ScannerName, type ScannerProfile, scannerProfiles } from './scanner.ts';
