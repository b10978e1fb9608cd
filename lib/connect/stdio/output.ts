import type { Writable } from "node:stream";

import { onOneLine } from "../../jsonrpc.ts";
import { deferred, settlesWithin } from "../../promises.ts";
import type { StdioClient } from "../relay.ts";

/** The client's end of the output. */
export interface Output extends StdioClient {
  /** Resolves when little enough waits to be read; undefined if that is so now. Of much, also what nobody waited for. */
  room(): Promise<void> | undefined;
  /** From now on nobody waits for the client to read. */
  hurry(): void;
  /** Resolves when all that was written is out, or nobody takes it, or that many milliseconds are over. */
  flush(ms: number): Promise<void>;
}

const WRITTEN = Promise.resolve();
/** Bytes that may wait to be read, whoever has written them. */
const MAX_WAITING_BYTES = 16 * 1024 ** 2;

/**
 * Writes messages, one a line.
 * @param broken is called once when nobody reads any more
 */
export function createOutput(stream: Writable, broken: () => void): Output {
  let isBroken = false;
  let isHurried = false;
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
      if (isBroken || stream.write(`${onOneLine(text)}\n`) || isHurried) return WRITTEN;
      // One promise for all who wait: not a listener for each of them.
      return (room ??= deferred()).promise;
    },
    room() {
      if (isBroken || isHurried || stream.writableLength < MAX_WAITING_BYTES) return undefined;
      return (room ??= deferred()).promise;
    },
    hurry() {
      isHurried = true;
      settle();
    },
    async flush(ms) {
      if (isBroken || stream.writableLength === 0) return;
      const flushed = deferred();
      stream.write("", () => flushed.resolve());
      await settlesWithin(flushed.promise, ms);
    },
  };
}
