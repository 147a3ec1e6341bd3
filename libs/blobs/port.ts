/**
 * Large bodies (past the inline limit of 256 KiB); small ones live in the accept row. `put` resolves only when every byte is on stable storage
 * (file and folder fsynced), so that the row which refers to it may be written after. References are opaque.
 */
export interface Blobs {
  put(
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<{ ref: string; sizeBytes: number; sha256: string }>;
  /** NotFound (on the iteration) when there is no such blob. `range` in bytes, end exclusive. */
  read(ref: string, range?: { start: number; end: number }): AsyncIterable<Uint8Array>;
  remove(ref: string): Promise<void>;
  /** References older than `olderThanMs`, for the collection of those that no row names. */
  list(options: {
    olderThanMs: number;
    limit: number;
    cursor?: string;
  }): Promise<{ refs: readonly string[]; cursor?: string }>;
}

/** Bodies up to this are kept inside the accept row. */
export const inlineLimitBytes = 256 * 1024;
