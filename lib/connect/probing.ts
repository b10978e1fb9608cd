import type { Introduction } from "../eras/request-down.ts";
import { MayflyError } from "../errors.ts";
import { limited } from "./limited.ts";
import type { RemoteTarget } from "./remote.ts";
import { discover } from "./wire/modern.ts";
import type { Discovery } from "./wire/modern.ts";

/** Milliseconds for an answer to `server/discover`: servers of the older revisions may not give any. */
const PROBE_LIMIT_MS = 10_000;

/** Asks a remote whether it is modern, in bounded time. @throws what `discover` throws */
export function probe(
  target: RemoteTarget,
  introduction: Introduction,
  signal: AbortSignal,
): Promise<Discovery> {
  const values = { detail: "it did not answer", method: "server/discover" };
  const late = new MayflyError("REMOTE_LOST", { values });
  return limited(signal, { ms: PROBE_LIMIT_MS, late }, (limit) => discover(target, introduction, limit));
}

/** The same, where no answer is one too: servers have been seen to break the connection over what they do not know. */
export async function probeWary(
  target: RemoteTarget,
  introduction: Introduction,
  signal: AbortSignal,
): Promise<Discovery | undefined> {
  try {
    return await probe(target, introduction, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof MayflyError && error.code === "REMOTE_LOST") return undefined;
    throw error;
  }
}
