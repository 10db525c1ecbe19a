export { type Box, type Component, type Components, connectedComponents } from './components.ts';
export { ImagingError, type ImagingErrorCode } from './error.ts';
export { type Burden, burden, type LesionMeasure, lesionsOf, voxelMl } from './lesions.ts';
export {
  type Colour,
  encodePng,
  enlarge,
  montage,
  type Overlay,
  type Picture,
  renderSlice,
  type Tile,
  type Window,
  windows,
} from './picture.ts';
export { openPngCohort, type ReadPngCohortOptions, readPngCohort } from './png-cohort.ts';
export { decodePngSlice, type PngSlice } from './png-slice.ts';
export {
  type Correction,
  type Mask,
  type Patient,
  type Scan,
  type Size,
  sameSize,
  voxelCount,
} from './scan.ts';
export { type Side, type SideOf, sidesOf } from './side.ts';
