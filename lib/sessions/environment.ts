import type { AccessRules } from "../auth.ts";
import { credentialsOf } from "../credentials.ts";
import { MayflyError } from "../errors.ts";
import type { IncomingRequest } from "../incoming.ts";
import { shortened } from "../logger.ts";
import { requestedEnvironment } from "../parameters.ts";
import { withEnvironment } from "../servers.ts";
import type { Server } from "../servers.ts";

/** Variables that a request brings. */
export type Variables = Readonly<Record<string, string>>;

/** What may bring variables. */
interface Bringing {
  readonly request: Pick<IncomingRequest, "headers">;
  readonly url: URL;
}

type Rules = Pick<AccessRules, "authKeys">;

/** A server, and the variables that its session began with. */
export interface Begun {
  readonly server: Server;
  readonly variables: Variables;
}

/**
 * The server as a client gets it whose session begins.
 * @returns the server with the variables that the request brings, if it has a process for itself
 * @throws ENVIRONMENT_FIXED if it has not, and what {@link requestedEnvironment} throws
 */
export function serverFor({ request, url }: Bringing, server: Server, shared: boolean, rules: Rules): Begun {
  const variables = requestedEnvironment(request, url, server, rules);
  if (shared) refuseOther(variables, {});
  return { server: withEnvironment(server, variables), variables };
}

/**
 * Clients send the URL and the headers that they know with every request of their session. Their variables are the
 * session's already: only those that it began with pass, since those of the operator must not be found out by guessing.
 * @throws ENVIRONMENT_FIXED for others
 */
export function refuseChange({ request, url }: Bringing, { server, variables }: Begun, rules: Rules): void {
  refuseOther(requestedEnvironment(request, url, server, rules), variables);
}

/**
 * The same for a POST to a stream of HTTP+SSE, whose URL is of Mayfly's making and sets nothing else.
 * @throws ENVIRONMENT_FIXED
 */
export function refuseOtherCredentials(
  { request, url }: Bringing,
  { server, variables }: Begun,
  rules: Rules,
): void {
  refuseOther(credentialsOf(request, url, server, rules), variables);
}

function refuseOther(variables: Variables, fixed: Variables): void {
  const name = Object.keys(variables).find((key) => variables[key] !== fixed[key]);
  if (name !== undefined) throw new MayflyError("ENVIRONMENT_FIXED", { values: { name: shortened(name) } });
}
