import { memberText } from "../../rawjson.ts";
import { LEGACY_VERSIONS } from "../../revisions.ts";
import type { IncomingRequest } from "../../incoming.ts";
import type { Invocation } from "./invocation.ts";
import type { LambdaContext } from "./platform.ts";
import type { Source } from "./source.ts";

/** A tool of AgentCore Gateway: its name there is that of the target, three underscores, and that of the tool. */
export interface ToolName {
  readonly target: string;
  readonly tool: string;
}

/** The call had no result: the server refused it, failed, or could not be started. */
class ToolCallFailed extends Error {
  override readonly name = "ToolCallFailed";
}

const MEMBER = "bedrockAgentCoreToolName";
const DELIMITER = "___";

/**
 * The tool that AgentCore Gateway calls; undefined if somebody else sent the event. Only who may invoke the function can
 * add a client context. Source: Bedrock AgentCore Developer Guide, "AWS Lambda function targets".
 */
export function toolNameOf({ clientContext }: LambdaContext): ToolName | undefined {
  const name = (clientContext?.custom ?? clientContext?.Custom)?.[MEMBER];
  if (typeof name !== "string") return undefined;
  const at = name.indexOf(DELIMITER);
  return at === -1
    ? { target: "", tool: name }
    : { target: name.slice(0, at), tool: name.slice(at + DELIMITER.length) };
}

/**
 * Calls the tool with the event as its arguments, on the server that is called like the target, else on the default one.
 * @returns the text of the result, which may say of itself that it is an error of the tool
 * @throws ToolCallFailed
 */
export async function callTool(
  name: ToolName,
  event: unknown,
  { fetchInvoked, servers }: Source,
  invocation: Invocation,
): Promise<string> {
  try {
    const path = servers.includes(name.target) ? `/mcp/${encodeURIComponent(name.target)}` : "/mcp";
    const response = await fetchInvoked(requestFor(path, name, event), invocation.context);
    return resultOf(await response.text());
  } finally {
    await invocation.settled();
  }
}

function requestFor(path: string, { tool }: ToolName, event: unknown): IncomingRequest {
  const params = { name: tool, arguments: event ?? {} };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  const headers = {
    "content-type": "application/json",
    accept: "application/json",
    "mcp-protocol-version": LEGACY_VERSIONS[0],
  };
  return new Request(`http://localhost${path}`, { method: "POST", headers, body });
}

function resultOf(text: string): string {
  const result = memberText(text, "result");
  if (result !== undefined) return result;
  const { error } = JSON.parse(text) as {
    readonly error: { readonly code: number; readonly message: string };
  };
  throw new ToolCallFailed(`${error.message} (${error.code})`);
}
