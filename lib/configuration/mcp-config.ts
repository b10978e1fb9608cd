import * as z from "zod/mini";

import { ERA_SETTINGS } from "../exchange/era-memory.ts";
import { flawOfAllowed } from "../request-variables.ts";
import { splitCommandLine } from "./command-line.ts";
import { ConfigurationError } from "./error.ts";
import { expand } from "./expand.ts";
import type { Variables } from "./expand.ts";
import { parseJsonc } from "./jsonc.ts";
import { meantKey } from "./misspelling.ts";
import { INPUT_MODES } from "./options.ts";
import type { McpConfig, ServerConfig, ToolFilter } from "./options.ts";

const milliseconds = z.optional(
  z.int("expected a whole number of milliseconds").check(z.positive("expected more than 0 milliseconds")),
);

function oneOf<const Values extends readonly string[]>(values: Values) {
  const quoted = values.map((value) => `"${value}"`).join(", ");
  return z.optional(z.enum(values, `expected one of ${quoted}`));
}

/** An entry of `allowEnv`. */
const settable = z.string().check(({ value, issues }) => {
  const message = flawOfAllowed(value);
  if (message !== undefined) issues.push({ code: "custom", message, input: value });
});

const toolNames = z.optional(z.array(z.string().check(z.minLength(1, "expected the name of a tool"))));
const TOOLS_KEYS = { allow: toolNames, deny: toolNames };
/** No other tool has keys here: whatever is not known was meant to hide something. */
const TOOLS = {
  schema: z.strictObject(TOOLS_KEYS, {
    error: ({ code, keys }) =>
      code === "unrecognized_keys" ? `unknown key "${keys?.[0]}": expected "allow" or "deny"` : undefined,
  }),
  keys: Object.keys(TOOLS_KEYS),
  notYet: [],
};

const SERVER_KEYS = {
  command: z.string().check(z.minLength(1, "expected a command")),
  args: z.optional(z.array(z.string())),
  env: z.optional(z.record(z.string(), z.string())),
  cwd: z.optional(z.string()),
  disabled: z.optional(z.boolean()),
  enabled: z.optional(z.boolean()),
  startTimeoutMs: milliseconds,
  requestTimeoutMs: milliseconds,
  era: oneOf(ERA_SETTINGS),
  inputMode: oneOf(INPUT_MODES),
  rerun: oneOf(["safe", "always"]),
  cacheTtlMs: z.optional(
    z.int("expected a whole number of milliseconds").check(z.nonnegative("expected 0 milliseconds or more")),
  ),
  cacheScope: oneOf(["public", "private"]),
  tools: z.optional(z.unknown()),
  allowEnv: z.optional(z.array(settable)),
  spares: z.optional(z.literal(0, "this version supports 0")),
};
/** `notYet` cannot be honoured by this version, and ignoring it could open what it was meant to close. */
const SERVER = {
  schema: z.looseObject(SERVER_KEYS),
  keys: Object.keys(SERVER_KEYS),
  notYet: ["envFrom"],
};

/** What a server may be called: it stands in paths. */
export const SERVER_NAME = /^[\w.-]+$/;

const FILE_KEYS = {
  mcpServers: z.record(
    z.string().check(z.regex(SERVER_NAME, "expected a name of letters, digits, '.', '_' and '-'")),
    z.unknown(),
  ),
  default: z.optional(z.string()),
};
const FILE = { schema: z.looseObject(FILE_KEYS), keys: Object.keys(FILE_KEYS), notYet: [] };

/** Keys of ours that no other tool has at the top of the file, where they would have no effect. */
const OF_A_SERVER = new Set([
  "era",
  "inputMode",
  "rerun",
  "cacheTtlMs",
  "cacheScope",
  "startTimeoutMs",
  "requestTimeoutMs",
  "allowEnv",
]);

/**
 * Reads the text of `mcp.json`. Disabled and remote servers are left out, `${VAR}` is expanded in what is left.
 * @param source what the text is called in errors
 * @throws ConfigurationError
 */
export function parseMcpJson(text: string, source: string, variables: Variables): McpConfig {
  return parseServers(parseJsonc(text, source), source, variables);
}

/**
 * Reads the value of `MCP_SERVER_CONFIG`: a command line for one server, or the text of an `mcp.json`.
 * @throws ConfigurationError
 */
export function parseMcpServerConfig(text: string, variables: Variables): McpConfig {
  const source = "MCP_SERVER_CONFIG";
  if (/^\s*(?:\{|\/[/*])/.test(text)) return parseMcpJson(text, source, variables);
  const [command, ...args] = splitCommandLine(text, source);
  return { mcpServers: { default: { command, args } } };
}

function parseServers(value: unknown, source: string, variables: Variables): McpConfig {
  const misplaced = Object.keys(Object(value) as object).find((key) => OF_A_SERVER.has(key));
  if (misplaced !== undefined) {
    throw new ConfigurationError(`${source}: "${misplaced}" belongs to a server, below mcpServers`);
  }
  const file = check(FILE, value, source);
  const servers = Object.entries(file.mcpServers)
    .map(([name, entry]) => [name, entry, `${source}: mcpServers.${name}`] as const)
    .filter(([, entry]) => isServed(entry))
    .map(([name, entry, place]) => [name, parseServer(entry, place, variables)] as const);
  const names = servers.map(([name]) => name);
  if (names.length === 0)
    throw new ConfigurationError(`${source}: mcpServers: ${nothingServed(file.mcpServers)}`);
  if (file.default !== undefined && !names.includes(file.default)) {
    throw new ConfigurationError(`${source}: default: there is no enabled server "${file.default}"`);
  }
  return {
    mcpServers: Object.fromEntries(servers),
    ...(file.default !== undefined && { default: file.default }),
  };
}

function nothingServed(entries: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(entries).join(", ");
  return names === "" ? "there is no server" : `no stdio server is enabled (disabled or remote: ${names})`;
}

/** Entries with a `url` are remote servers, which other tools keep in the same file. */
function isServed(entry: unknown): boolean {
  const { disabled, enabled, url, command } = Object(entry) as Record<string, unknown>;
  return disabled !== true && enabled !== false && (url === undefined || command !== undefined);
}

function parseServer(entry: unknown, place: string, variables: Variables): ServerConfig {
  const server = check(SERVER, entry, place);
  const expanded = (text: string, member: string): string => expand(text, variables, `${place}.${member}`);
  const { command, args, env, cwd } = server;
  return {
    command: expanded(command, "command"),
    args: (args ?? []).map((arg, index) => expanded(arg, `args[${index}]`)),
    env: mapValues(env ?? {}, (text, name) => expanded(text, `env.${name}`)),
    ...(cwd !== undefined && { cwd: expanded(cwd, "cwd") }),
    ...(server.tools !== undefined && { tools: parseTools(server.tools, `${place}.tools`, variables) }),
    ...settingsOf(server),
  };
}

function parseTools(value: unknown, place: string, variables: Variables): ToolFilter {
  const { allow, deny } = check(TOOLS, value, place);
  const expanded = (names: readonly string[], member: string): string[] =>
    names.map((name, index) => expand(name, variables, `${place}.${member}[${index}]`));
  return {
    ...(allow && { allow: expanded(allow, "allow") }),
    ...(deny && { deny: expanded(deny, "deny") }),
  };
}

type Settings = Omit<ServerConfig, "command" | "args" | "env" | "cwd" | "tools">;

/** What stands in the file as it is meant. */
const SETTINGS = [
  "startTimeoutMs",
  "requestTimeoutMs",
  "era",
  "inputMode",
  "rerun",
  "cacheTtlMs",
  "cacheScope",
  "allowEnv",
] as const satisfies readonly (keyof Settings)[];

function settingsOf(server: { readonly [Key in keyof Settings]?: Settings[Key] | undefined }): Settings {
  const given = SETTINGS.filter((name) => server[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, server[name]]));
}

interface Shape<Schema> {
  readonly schema: Schema;
  readonly keys: readonly string[];
  readonly notYet: readonly string[];
}

function check<Schema extends z.ZodMiniType>(
  shape: Shape<Schema>,
  value: unknown,
  place: string,
): z.output<Schema> {
  for (const key of Object.keys(Object(value) as object)) refuseKey(key, shape, place);
  const parsed = shape.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConfigurationError(parsed.error.issues.map((issue) => describe(issue, place, value)).join("; "));
}

/** @throws ConfigurationError for a misspelt key of ours, and for one that this version does not support */
function refuseKey(key: string, { keys, notYet }: Shape<unknown>, place: string): void {
  const meant = meantKey(key, [...keys, ...notYet]);
  if (meant) throw new ConfigurationError(`${place}: unknown key "${key}": did you mean "${meant}"?`);
  if (notYet.includes(key)) {
    throw new ConfigurationError(`${place}: "${key}" is not supported by this version`);
  }
}

function describe(issue: z.core.$ZodIssue, place: string, value: unknown): string {
  const path = issue.path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("");
  const where = `${place}${place.includes(": ") ? path : path.replace(/^\./, ": ")}`;
  return `${where}: ${complaint(issue, value)}`;
}

function complaint(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  const found = issue.path.reduce(
    (inner, step) => (Object(inner) as Record<PropertyKey, unknown>)[step],
    value,
  );
  if (found === undefined) return "missing";
  if (issue.code !== "invalid_type" || issue.message !== "Invalid input") return issue.message;
  return `expected ${issue.expected === "record" ? "object" : issue.expected}, found ${kindOf(found)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function mapValues(
  record: Readonly<Record<string, string>>,
  change: (value: string, key: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
