/** How far long work on a bundle is. */
export interface AuditProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** How long work on a bundle is watched, and stopped. */
export interface AuditOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: AuditProgress) => void;
}
