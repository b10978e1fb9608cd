import { BODY_TIMEOUT_MS } from "../body.ts";
import { defaultMaxProcesses } from "../capacity.ts";
import type { HandlerOptions } from "../configuration/options.ts";
import { roomForConnections } from "../descriptors.ts";
import { memoryShareBytes } from "../memory.ts";

/** What a client may take of the adapter, before it has said anything that counts. */
export interface HttpLimits {
  /** Milliseconds for the headers of a request, and for a TLS handshake; later is 408. @default 15000 */
  readonly headersTimeoutMs?: number;
  /** Bytes of the first line and the headers of a request; more is 431. @default 16384 */
  readonly maxHeaderBytes?: number;
  /** Headers of a request; more is 431. @default 128 */
  readonly maxHeaders?: number;
  /** Milliseconds for which a client may take nothing of an answer that waits for it; then it is cut off. @default 30000 */
  readonly stallTimeoutMs?: number;
  /**
   * Bytes of answers that wait for all clients together. Beyond that those who read nothing are cut off, the largest
   * first; beyond twice as much also those who read slowly. @default a quarter of the memory, and at least 256 MiB
   */
  readonly maxUnsentBytes?: number;
  /**
   * Connections at once. For one more, the oldest that has made no request is closed, else the one that has been idle
   * for the longest; where all are busy, the new one. @default as many as leave enough descriptors for the processes
   */
  readonly maxConnections?: number;
}

export type CompleteLimits = Required<HttpLimits> & { readonly bodyTimeoutMs: number };

type Given = HttpLimits & Pick<HandlerOptions, "maxProcesses" | "bodyTimeoutMs">;

export function completeLimits(given: Given): CompleteLimits {
  const { maxProcesses = defaultMaxProcesses(), bodyTimeoutMs = BODY_TIMEOUT_MS } = given;
  return {
    headersTimeoutMs: given.headersTimeoutMs ?? 15_000,
    maxHeaderBytes: given.maxHeaderBytes ?? 16 * 1024,
    maxHeaders: given.maxHeaders ?? 128,
    stallTimeoutMs: given.stallTimeoutMs ?? 30_000,
    maxUnsentBytes: given.maxUnsentBytes ?? memoryShareBytes(),
    maxConnections: given.maxConnections ?? roomForConnections(maxProcesses) ?? Number.POSITIVE_INFINITY,
    bodyTimeoutMs,
  };
}
