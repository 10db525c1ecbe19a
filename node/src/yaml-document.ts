import { parseDocument } from 'yaml';
import { NodeError } from './error.ts';

/**
 * The plain value of a YAML text that a person wrote.
 * @throws {NodeError} `CONFIG` when it is not YAML, has a key twice, or refers to itself in a way that grows without end.
 */
export function parseYaml(text: string, path: string): unknown {
  const document = parseDocument(text);
  const [syntax] = document.errors;
  if (syntax !== undefined) throw notYaml(path, syntax);
  try {
    return document.toJS();
  } catch (cause) {
    if (!(cause instanceof ReferenceError)) throw cause;
    throw notYaml(path, cause);
  }
}

function notYaml(path: string, cause: Error): NodeError {
  const [line] = cause.message.split('\n', 1);
  return new NodeError('CONFIG', `${path} is not YAML: ${line}`, 'mend that line', { cause });
}
