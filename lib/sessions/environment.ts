import { MayflyError } from "../errors.ts";
import { shortened } from "../logger.ts";
import { requestedEnvironment } from "../parameters.ts";
import { withEnvironment } from "../servers.ts";
import type { Server } from "../servers.ts";

/** Variables that a URL sets. */
export type Variables = Readonly<Record<string, string>>;

/**
 * The server as a client gets it whose session begins.
 * @returns the server with the variables that its URL sets, if it has a process for itself
 * @throws ENVIRONMENT_FIXED if it has not, and what {@link requestedEnvironment} throws
 */
export function serverFor(
  url: URL,
  server: Server,
  shared: boolean,
): { readonly server: Server; readonly variables: Variables } {
  const variables = requestedEnvironment(url, server);
  if (shared) refuseOther(variables, {});
  return { server: withEnvironment(server, variables), variables };
}

/**
 * Clients send the URL that they know with every request of their session. Its variables are the session's already.
 * @param begun the variables that the session began with: those of the operator must not be found out by guessing
 * @throws ENVIRONMENT_FIXED for others
 */
export function refuseChange(url: URL, server: Server, begun: Variables): void {
  refuseOther(requestedEnvironment(url, server), begun);
}

function refuseOther(variables: Variables, fixed: Variables): void {
  const name = Object.keys(variables).find((key) => variables[key] !== fixed[key]);
  if (name !== undefined) throw new MayflyError("ENVIRONMENT_FIXED", { values: { name: shortened(name) } });
}
