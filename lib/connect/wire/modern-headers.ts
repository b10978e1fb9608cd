import { versionIn } from "../../eras/envelope.ts";
import type { ToolMemory } from "../../exchange/tool-memory.ts";
import type { Message, NotificationValue, RequestValue } from "../../jsonrpc.ts";
import { writtenHeaders } from "../../request/header-parameters.ts";
import { encodedValue, nameSource } from "../../request/headers.ts";
import { MODERN_VERSIONS } from "../../revisions.ts";

/** What every POST to a server of streamable HTTP has. Source: 2025-11-25 and 2026-07-28/basic/transports, Sending Messages. */
export const POST_HEADERS = {
  accept: "application/json, text/event-stream",
  "content-type": "application/json",
} as const;

/**
 * The headers of a message, which repeat what it says itself. Source: 2026-07-28/basic/transports/streamable-http,
 * Request Metadata.
 * @param tools those that are known so far
 */
export function modernHeaders(
  { value }: Message<RequestValue | NotificationValue>,
  tools: Pick<ToolMemory, "find">,
): Record<string, string> {
  const { method, params = {} } = value;
  const name = params[nameSource(method) ?? ""];
  const version = versionIn(value);
  const parameters = method === "tools/call" ? tools.find(name)?.headers : undefined;
  return {
    ...POST_HEADERS,
    // What is no text has no header, and the server says what is wrong with it.
    "mcp-protocol-version": typeof version === "string" ? encodedValue(version) : MODERN_VERSIONS[0],
    "mcp-method": encodedValue(method),
    ...(typeof name === "string" && { "mcp-name": encodedValue(name) }),
    ...(parameters && writtenHeaders(parameters, params["arguments"])),
  };
}
