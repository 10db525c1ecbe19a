/**
 * - `UNREACHABLE`: there was no whole answer; see `cause`.
 * - `SIGNATURE`: an answer is not signed by the expected site, or was signed for another question. Nothing of it was used.
 * - `ANSWER`: a signed answer is not what the contract says: the node speaks another version.
 * - `REFUSED`: the node answered that it will not, or that there is no such thing; see `problem`.
 * - `WEIGHTS`: what was downloaded does not have the digest that names it.
 * - `PROOF`: the evidence for a record does not lead from it to a checkpoint that is believed.
 */
export type ClientErrorCode =
  | 'ANSWER'
  | 'PROOF'
  | 'REFUSED'
  | 'SIGNATURE'
  | 'UNREACHABLE'
  | 'WEIGHTS';

/** What a node said instead of an answer. */
export interface RefusedProblem {
  /** HTTP status. */
  readonly status: number;
  /** Stable, such as `STATE_UNKNOWN`; null where the answer did not come from a node. */
  readonly code: string | null;
  readonly detail: string;
  /** Whether the site signed it: a refusal of access or for haste is not signed, and could be anybody's. */
  readonly isSigned: boolean;
}

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  /** Given with `REFUSED`. */
  readonly problem: RefusedProblem | null;
  constructor(
    code: ClientErrorCode,
    message: string,
    options: ErrorOptions & { readonly problem?: RefusedProblem } = {},
  ) {
    super(message, options);
    this.code = code;
    this.problem = options.problem ?? null;
  }
}
