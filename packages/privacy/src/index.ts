export { PrivacyError, type PrivacyErrorCode } from './error.ts';
export type { PrivacyEvent } from './event.ts';
