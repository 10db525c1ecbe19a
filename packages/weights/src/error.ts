/** Why a layout, a vector or a payload was refused. Codes are stable; messages are for people. */
export type WeightsErrorCode =
  | 'BAD_LAYOUT'
  | 'LAYOUT_MISMATCH'
  | 'NON_FINITE'
  | 'OUT_OF_RANGE'
  | 'OFF_GRID'
  | 'BAD_PAYLOAD';

export class WeightsError extends Error {
  override readonly name = 'WeightsError';
  readonly code: WeightsErrorCode;
  constructor(code: WeightsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
