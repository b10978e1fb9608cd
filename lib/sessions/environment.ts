import { MayflyError } from "../errors.ts";
import { shortened } from "../logger.ts";
import { requestedEnvironment } from "../parameters.ts";
import { withEnvironment } from "../servers.ts";
import type { Server } from "../servers.ts";

/**
 * The server as a client gets it whose session begins: with the variables that its URL sets, if it has a process for
 * itself.
 * @throws ENVIRONMENT_FIXED if it has not, and what {@link requestedEnvironment} throws
 */
export function serverFor(url: URL, server: Server, shared: boolean): Server {
  const variables = requestedEnvironment(url, server);
  if (shared) refuseOther(variables, {});
  return withEnvironment(server, variables);
}

/**
 * Clients send the URL that they know with every request of their session. Its variables are the session's already.
 * @throws ENVIRONMENT_FIXED for one that is not
 */
export function refuseChange(url: URL, server: Server, begun: Server): void {
  refuseOther(requestedEnvironment(url, server), begun.parameters.env);
}

function refuseOther(
  variables: Readonly<Record<string, string>>,
  fixed: Readonly<Record<string, string>>,
): void {
  const name = Object.keys(variables).find((key) => variables[key] !== fixed[key]);
  if (name !== undefined) throw new MayflyError("ENVIRONMENT_FIXED", { values: { name: shortened(name) } });
}
