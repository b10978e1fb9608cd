/** What became of one server. */
export interface ServerReport {
  readonly server: string;
  /** The package that was installed; undefined for a server that needs none. */
  readonly package?: string;
  /** Of the package. */
  readonly version?: string;
  /** Milliseconds until the handshake is answered, in the median; undefined if it could not be started. */
  readonly startBeforeMs?: number;
  /** The same with the bundle; undefined without one. */
  readonly startAfterMs?: number;
  /** Of the server's folder. */
  readonly sizeBytes: number;
  readonly bundled: boolean;
  readonly snapshot: boolean;
  /** Whether the package is not installed: the build has failed. */
  readonly failed: boolean;
  /** What was not done, and why. */
  readonly notes: readonly string[];
}

/** The first line: a table has one for each server. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? text;
}
