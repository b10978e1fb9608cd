import { MayflyError } from "../../errors.ts";
import { shortened } from "../../logger.ts";

/**
 * Where the messages of a session by HTTP+SSE go. Only where its stream came from: the headers that the user gave for
 * that server would go elsewhere with them. Source: 2024-11-05/basic/transports, HTTP with SSE.
 * @param said the data of the event `endpoint`
 * @param base where the stream came from
 * @throws REMOTE_NOT_MCP
 */
export function endpointFrom(said: string, base: URL): URL {
  if (!URL.canParse(said, base.href)) throw notMcp("an endpoint that is no URL");
  const endpoint = new URL(said, base);
  if (endpoint.origin !== base.origin) {
    throw notMcp(`an endpoint of another origin, ${shortened(endpoint.origin)}`);
  }
  // Those of the stream are the user's own.
  endpoint.username ||= base.username;
  endpoint.password ||= base.password;
  return endpoint;
}

export function notMcp(detail: string): MayflyError {
  return new MayflyError("REMOTE_NOT_MCP", { values: { method: "initialize", detail } });
}
