import type { RunningServer } from "../adapters/node.ts";
import { underAllowedName } from "../hosts.ts";
import { isObject } from "../jsonrpc.ts";

/** How the command asks its own servers. */
interface Asking {
  readonly path: string;
  readonly key: string | undefined;
  readonly allowedHosts: readonly string[] | undefined;
}

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
export async function exampleCall(server: RunningServer, asking: Asking): Promise<string | undefined> {
  const tools = await listTools(server, asking);
  const candidates = tools?.filter((candidate) => exampleArguments(candidate) !== undefined);
  const tool =
    candidates?.find(({ inputSchema }) => isObject(inputSchema) && inputSchema["required"]) ??
    candidates?.[0];
  const message = tool
    ? { method: "tools/call", params: { name: tool.name, arguments: exampleArguments(tool) } }
    : { method: "tools/list" };
  return tools && curl(server, asking, JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }));
}

/**
 * A `curl` line that shows the stream of HTTP+SSE, of which one line cannot make a call. Starts every server once, and
 * so finds out at the start whether they run.
 * @returns undefined for the line if one of them does not, and why
 */
export async function exampleStream(
  { url, handler }: RunningServer,
  { path, key, allowedHosts }: Asking,
): Promise<{ readonly line?: string; readonly failures: readonly string[] }> {
  const headers = { ...(key && { "X-API-Key": key }) };
  const response = await handler.fetch(
    new Request(`${underAllowedName(url, allowedHosts)}/health?deep=1`, { headers }),
  );
  const { servers = {} } = (await response.json()) as { servers?: Record<string, { message?: string }> };
  const failures = Object.values(servers).flatMap(({ message }) => message ?? []);
  const line = `curl -sSN ${url}${path}${hostHeader(url, allowedHosts)}${authorization(key)}`;
  return { ...(response.ok && { line }), failures };
}

async function listTools(
  { url, handler }: RunningServer,
  { path, key, allowedHosts }: Asking,
): Promise<Tool[] | undefined> {
  const response = await handler.fetch(
    new Request(underAllowedName(url, allowedHosts) + path, {
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

function curl({ url }: RunningServer, { path, key, allowedHosts }: Asking, body: string): string {
  const quoted = body.replaceAll("'", String.raw`'\''`);
  return `curl -sS ${url}${path}${hostHeader(url, allowedHosts)} -H 'Content-Type: application/json'${authorization(key)} -d '${quoted}'`;
}

/** Where another name is let in than that of the address, its proxy would send it. */
function hostHeader(url: string, allowedHosts: readonly string[] | undefined): string {
  const asked = underAllowedName(url, allowedHosts);
  return asked === url ? "" : ` -H 'Host: ${new URL(asked).host}'`;
}

/** The key stays a variable: what is printed ends up in scrollback and logs. */
function authorization(key: string | undefined): string {
  return key === undefined ? "" : ' -H "Authorization: Bearer $AUTH_KEY"';
}
