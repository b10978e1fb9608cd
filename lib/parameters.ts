import { KEY_PARAMETER } from "./auth.ts";
import { MayflyError } from "./errors.ts";
import { shortened } from "./logger.ts";

/**
 * Older proxies take any URL parameter as a variable for the server. Whoever relies on that must read why it has
 * no effect, instead of running without a credential.
 * @throws PARAMETER_NOT_ALLOWED
 */
export function refuseParameters({ searchParams }: URL): void {
  const name = [...searchParams.keys()].find((key) => key !== KEY_PARAMETER);
  if (name !== undefined)
    throw new MayflyError("PARAMETER_NOT_ALLOWED", { values: { name: shortened(name) } });
}
