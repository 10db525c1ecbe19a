/**
 * - `MISSING_FOLDER`: the cohort's folder, or one of its parts (`ct`, `lungs`, `covid`), is not there.
 * - `MISSING_INDEX`, `BAD_INDEX`: `slice_index.csv` is not there, or is not what it must be.
 * - `UNKNOWN_PATIENT`: a patient was asked for that the index does not name.
 * - `MISSING_SLICE`: the index names a slice that has no file.
 * - `IMAGE_FORMAT`: a PNG of another kind than 8-bit greyscale without interlacing, or no PNG.
 * - `TRUNCATED_IMAGE`: the file ends before its picture does.
 * - `CORRUPT_IMAGE`: a check sum or the compressed data is wrong.
 * - `SLICE_SIZE`: a slice differs in size from the other slices of its patient.
 * - `MASK_SIZE`: a mask differs in size from its image.
 * - `MASK_VALUE`: a mask holds something else than 0 and 255.
 */
export type ImagingErrorCode =
  | 'MISSING_FOLDER'
  | 'MISSING_INDEX'
  | 'BAD_INDEX'
  | 'UNKNOWN_PATIENT'
  | 'MISSING_SLICE'
  | 'IMAGE_FORMAT'
  | 'TRUNCATED_IMAGE'
  | 'CORRUPT_IMAGE'
  | 'SLICE_SIZE'
  | 'MASK_SIZE'
  | 'MASK_VALUE';

/** What is wrong with image data. The message names the file and, of the patient, the case id alone. */
export class ImagingError extends Error {
  override readonly name = 'ImagingError';
  readonly code: ImagingErrorCode;
  constructor(code: ImagingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
