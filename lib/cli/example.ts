import type { RunningServer } from "../adapters/node.ts";
import { isObject } from "../jsonrpc.ts";

interface Tool {
  readonly name: string;
  readonly inputSchema?: unknown;
  readonly annotations?: { readonly readOnlyHint?: unknown };
}

/**
 * A `curl` line that works when pasted: a call of a tool that needs nothing but text, else a list of tools.
 * Asks the server for its tools, and so finds out at the start whether it runs; the log says why if it does not.
 * @returns undefined if the server does not answer
 */
export async function exampleCall(
  server: RunningServer,
  path: string,
  key?: string,
): Promise<string | undefined> {
  const tools = await listTools(server, key, path);
  const candidates = tools?.filter((candidate) => exampleArguments(candidate) !== undefined);
  const tool =
    candidates?.find(({ inputSchema }) => isObject(inputSchema) && inputSchema["required"]) ??
    candidates?.[0];
  const message = tool
    ? { method: "tools/call", params: { name: tool.name, arguments: exampleArguments(tool) } }
    : { method: "tools/list" };
  return tools && curl(server.url + path, JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }), key);
}

async function listTools(
  server: RunningServer,
  key: string | undefined,
  path: string,
): Promise<Tool[] | undefined> {
  const response = await server.handler.fetch(
    new Request(server.url + path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json",
        ...(key && { "X-API-Key": key }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
    }),
  );
  const { result } = (await response.json()) as { result?: { tools?: unknown } };
  return Array.isArray(result?.tools)
    ? result.tools.filter((tool): tool is Tool => isObject(tool))
    : undefined;
}

/** What such a text means to the server: "hello" would be an error. */
const NAMES_SOMETHING = /path|file|dir|ur[il]|id$|uuid|token|key|email/i;

/** Arguments for a tool that only reads, and needs nothing but free text; undefined for any other. */
function exampleArguments({ inputSchema, annotations }: Tool): Record<string, string> | undefined {
  if (annotations?.readOnlyHint !== true) return undefined;
  const { required, properties } = isObject(inputSchema) ? inputSchema : {};
  if (!Array.isArray(required) || required.length === 0) return {};
  if (!isObject(properties)) return undefined;
  const isText = (name: unknown): boolean => {
    const property = properties[String(name)];
    return (
      !NAMES_SOMETHING.test(String(name)) &&
      isObject(property) &&
      property["type"] === "string" &&
      property["enum"] === undefined
    );
  };
  return required.every(isText)
    ? Object.fromEntries(required.map((name) => [String(name), "hello"]))
    : undefined;
}

/** The key stays a variable: what is printed ends up in scrollback and logs. */
function curl(url: string, body: string, key: string | undefined): string {
  const quoted = body.replaceAll("'", String.raw`'\''`);
  const auth = key === undefined ? "" : ' -H "Authorization: Bearer $AUTH_KEY"';
  return `curl -sS ${url} -H 'Content-Type: application/json'${auth} -d '${quoted}'`;
}
