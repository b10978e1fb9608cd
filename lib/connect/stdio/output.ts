import type { Writable } from "node:stream";

import { onOneLine } from "../../jsonrpc.ts";
import { deferred, settlesWithin } from "../../promises.ts";
import type { StdioClient } from "../relay.ts";

/** The client's end of the output. */
export interface Output extends StdioClient {
  /** Resolves when all that was written is out, or nobody takes it, or that many milliseconds are over. */
  flush(ms: number): Promise<void>;
}

const WRITTEN = Promise.resolve();

/**
 * Writes messages, one a line.
 * @param broken is called once when nobody reads any more
 */
export function createOutput(stream: Writable, broken: () => void): Output {
  let isBroken = false;
  let room: ReturnType<typeof deferred<void>> | undefined;
  const settle = (): void => {
    room?.resolve();
    room = undefined;
  };
  const end = (): void => {
    if (!isBroken) broken();
    isBroken = true;
    settle();
  };
  // They stay: an error of the last write comes when nobody waits for it any more, and without a listener it would
  // end the process.
  stream.on("error", end).on("close", end).on("drain", settle);
  return {
    write(text) {
      if (isBroken || stream.write(`${onOneLine(text)}\n`)) return WRITTEN;
      // One promise for all who wait: not a listener for each of them.
      return (room ??= deferred()).promise;
    },
    async flush(ms) {
      if (isBroken || stream.writableLength === 0) return;
      const flushed = deferred();
      stream.write("", () => flushed.resolve());
      await settlesWithin(flushed.promise, ms);
    },
  };
}
