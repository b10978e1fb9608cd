import type { Host } from "./host.ts";
import type { IncomingRequest } from "./incoming.ts";
import { refuseMethod } from "./methods.ts";
import { relative } from "./paths.ts";

/**
 * The servers of a host by name, and which of them answers on the bare path: what can be called here, and nothing of
 * how it is run. The paths are references relative to the URL that was asked: a proxy may have cut a prefix off.
 * @throws METHOD_NOT_ALLOWED
 */
export function answerServers(request: IncomingRequest, { servers, transports, paths }: Host): Response {
  refuseMethod(request, ["GET", "HEAD"]);
  const { pathname } = new URL(request.url);
  const list = servers.names.map((name) => ({
    name,
    default: name === servers.chosen,
    paths: transports.map((transport) =>
      relative(pathname, `${paths[transport]}/${encodeURIComponent(name)}`),
    ),
  }));
  return Response.json({ servers: list }, { headers: { "Cache-Control": "no-store" } });
}
