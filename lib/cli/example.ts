import type { RunningServer } from "../adapters/node.ts";
import { underAllowedName } from "../hosts.ts";
import { isObject } from "../jsonrpc.ts";

interface Tool {
  readonly name: string;
  readonly inputSchema?: unknown;
  readonly annotations?: { readonly readOnlyHint?: unknown };
}

/** A server that listens, as far as an example needs one. */
type Answering = Pick<RunningServer, "url"> & { readonly handler: Pick<RunningServer["handler"], "fetch"> };

/** How the door is opened. */
export interface Access {
  readonly key?: string;
  /** The option with which `curl` trusts the certificate. */
  readonly trust?: string;
  /** Host headers that are let in. @default those of the address */
  readonly allowedHosts?: readonly string[];
}

/**
 * A `curl` line that works when pasted: a call of a tool that needs nothing but text, else a list of tools.
 * Asks the server for its tools, and so finds out at the start whether it runs, and why it does not.
 * @returns neither line nor failure where Mayfly is told to stop meanwhile
 */
export async function exampleCall(
  server: Answering,
  path: string,
  access: Access = {},
): Promise<{ readonly line?: string; readonly failure?: string }> {
  const answer = await listTools(server, path, access);
  if (!("tools" in answer)) return answer;
  const candidates = answer.tools.filter((candidate) => exampleArguments(candidate) !== undefined);
  const tool =
    candidates.find(({ inputSchema }) => isObject(inputSchema) && inputSchema["required"]) ?? candidates[0];
  const message = tool
    ? { method: "tools/call", params: { name: tool.name, arguments: exampleArguments(tool) } }
    : { method: "tools/list" };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, ...message });
  const json = ["-H 'Content-Type: application/json'", ...authorization(access), "-d", quoted(body)];
  return { line: ["curl -sS", ...target(server, path, access), ...json].join(" ") };
}

/**
 * A `curl` line that shows the stream of HTTP+SSE, of which one line cannot make a call. Starts every server once, and
 * so finds out at the start whether they run.
 * @returns no line if one of them does not, and why; neither where Mayfly is told to stop meanwhile
 */
export async function exampleStream(
  server: Answering,
  path: string,
  access: Access = {},
): Promise<{ readonly line?: string; readonly failures: readonly string[] }> {
  const failed = await failuresOf(server, access);
  const failures = failed.flatMap((one) => (isStop(one) ? [] : (one.message ?? [])));
  if (failed.length > 0) return { failures };
  const line = ["curl -sSN", ...target(server, path, access), ...authorization(access)].join(" ");
  return { line, failures };
}

interface Failure {
  readonly message?: string;
  readonly data?: { readonly reason?: unknown };
}

/** Who ends Mayfly meanwhile wants no news. */
function isStop({ data }: Failure): boolean {
  return data?.reason === "shutdown";
}

interface Health {
  readonly servers?: Readonly<Record<string, { readonly message?: string; readonly reason?: string }>>;
  readonly error?: Failure;
}

/** Starts all servers, one after the other. @returns why some of them do not run */
async function failuresOf({ url, handler }: Answering, access: Access): Promise<readonly Failure[]> {
  const asked = `${underAllowedName(url, access.allowedHosts)}/health?deep=1`;
  const response = await handler.fetch(new Request(asked, { headers: keyed(access) }));
  const { servers = {}, error } = (await response.json()) as Health;
  const failed = Object.values(servers).filter(({ message }) => message !== undefined);
  const failures = failed.map(({ message = "", reason }): Failure => ({ message, data: { reason } }));
  return error ? [error, ...failures] : failures;
}

async function listTools(
  { url, handler }: Answering,
  path: string,
  access: Access,
): Promise<{ readonly tools: readonly Tool[] } | { readonly failure?: string }> {
  const headers = { "Content-Type": "application/json", Accept: "application/json", ...keyed(access) };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  const response = await handler.fetch(
    new Request(underAllowedName(url, access.allowedHosts) + path, { method: "POST", headers, body }),
  );
  const { result, error } = (await response.json()) as { result?: unknown; error?: Failure };
  if (error && isStop(error)) return {};
  const tools = isObject(result) ? result["tools"] : undefined;
  if (!Array.isArray(tools)) return { failure: error?.message ?? `HTTP ${response.status}` };
  return { tools: tools.filter((tool): tool is Tool => isObject(tool)) };
}

function keyed({ key }: Access): Readonly<Record<string, string>> {
  return key === undefined ? {} : { "X-API-Key": key };
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

function target({ url }: Answering, path: string, { trust, allowedHosts }: Access): string[] {
  const asked = underAllowedName(url, allowedHosts);
  // Where another name is let in than that of the address, a proxy would send it.
  const host = asked === url ? [] : ["-H", quoted(`Host: ${new URL(asked).host}`)];
  return [quoted(url + path), ...(trust === undefined ? [] : [trust]), ...host];
}

/** The key stays a variable: what is printed ends up in scrollback and logs. */
function authorization({ key }: Access): string[] {
  return key === undefined ? [] : ['-H "Authorization: Bearer $AUTH_KEY"'];
}

/** A word of a shell. The brackets of an IPv6 address are a pattern to some. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
