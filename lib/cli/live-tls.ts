import { isDeepStrictEqual } from "node:util";

import type { RunningServer, TlsOptions } from "../adapters/node.ts";
import type { Logger } from "../logger.ts";
import { follow, reasonOf } from "./follow.ts";
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
  return follow({
    current,
    apply: (tls) => server.setTls(tls),
    onTaken(before, tls, isNews) {
      if (isNews || !isDeepStrictEqual(before, tls)) logger.info({}, "The certificates have been taken over");
    },
    onRefused: (error) =>
      logger.error(
        { reason: reasonOf(explained(error)) },
        "The certificates are not taken over: those before stay",
      ),
  });
}
