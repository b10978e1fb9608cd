import { isDeepStrictEqual } from "node:util";

import type { RunningServer, TlsOptions } from "../adapters/node.ts";
import { reasonOf } from "./live-config.ts";
import type { Logger } from "../logger.ts";
import type { Reading } from "./watch.ts";

/**
 * Takes readings of certificates over into a server that runs. Those that cannot work are reported and change nothing.
 * @param current what the server has now
 * @param explained puts an error in the words of the user
 */
export function followTls(
  current: TlsOptions,
  server: Pick<RunningServer, "setTls">,
  logger: Logger,
  explained: (error: unknown) => unknown,
): (reading: Reading<TlsOptions>) => void {
  let [now, wasRefused] = [current, false];
  const take = (tls: TlsOptions): void => {
    server.setTls(tls);
    if (wasRefused || !isDeepStrictEqual(now, tls)) {
      logger.info({}, "The certificates have been taken over");
    }
    [now, wasRefused] = [tls, false];
  };
  return (reading) => {
    try {
      if ("error" in reading) throw reading.error;
      take(reading.content);
    } catch (error) {
      wasRefused = true;
      logger.error(
        { reason: reasonOf(explained(error)) },
        "The certificates are not taken over: those before stay",
      );
    }
  };
}
