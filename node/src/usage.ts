import { NodeError } from './error.ts';

/** A command that was used wrongly, and how it is used. */
export function usage(message: string, form: string): NodeError {
  return new NodeError('USAGE', message, form.startsWith('one of') ? form : `consilium ${form}`);
}
