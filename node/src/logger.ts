import { pino } from 'pino';

/** One structured line for each call: fields first, then a sentence. Fields hold no secret and nothing of a patient. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** JSON lines on standard output. */
export function createLogger(level: 'debug' | 'info' | 'warn' | 'error', site: string): Logger {
  return pino({
    level,
    base: { node: site },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
