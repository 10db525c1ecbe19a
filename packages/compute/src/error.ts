/**
 * Why a graph, a compilation or a run was refused. Codes are stable; messages are for people.
 *
 * - `BAD_GRAPH`: shapes or attributes do not fit together, or a name is used twice; the message names the layer.
 * - `NOT_DIFFERENTIABLE`: the loss is no scalar, or the graph holds gradient operators already.
 * - `BAD_INPUT`: an input is missing, unknown or of another length, or the weights are not of the layout's length.
 * - `PROVIDER_MISSING`: the chosen execution provider is not in this build of the runtime or finds no device.
 * - `ENGINE_FAILED`: the runtime refused the model or failed while it ran; `cause` keeps its own words.
 * - `OUT_OF_MEMORY`: the memory of the machine or of its device does not hold the graph at these shapes; with fewer samples at once it may.
 * - `CLOSED`: the program or the engine was used after `close()`.
 * - `BAD_STATE`: an optimizer's saved state is malformed or belongs to other weights.
 */
export type ComputeErrorCode =
  | 'BAD_GRAPH'
  | 'NOT_DIFFERENTIABLE'
  | 'BAD_INPUT'
  | 'PROVIDER_MISSING'
  | 'ENGINE_FAILED'
  | 'OUT_OF_MEMORY'
  | 'CLOSED'
  | 'BAD_STATE';

export class ComputeError extends Error {
  override readonly name = 'ComputeError';
  readonly code: ComputeErrorCode;
  constructor(code: ComputeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
