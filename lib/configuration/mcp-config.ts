import * as z from "zod/mini";

import { isObject } from "../jsonrpc.ts";
import { splitCommandLine } from "./command-line.ts";
import { ConfigurationError } from "./error.ts";
import { expand } from "./expand.ts";
import type { Variables } from "./expand.ts";
import { parseJsonc } from "./jsonc.ts";
import type { McpConfig, ServerConfig, ServerPermissions, ToolFilter } from "./options.ts";
import { NOT_IN_FILE, NOT_YET, SERVERS, SERVER_IN_FILE, isEnabled } from "./server-shape.ts";
import { check, shape } from "./shape.ts";
import { withWritten } from "./written.ts";

export { SERVER_NAME } from "./server-shape.ts";

/** Keys of ours that no other tool has at the top of the file, where they would have no effect. */
const OF_A_SERVER = [
  "era",
  "inputMode",
  "rerun",
  "cacheTtlMs",
  "cacheScope",
  "maxProcesses",
  "maxOutputBytes",
  "startTimeoutMs",
  "requestTimeoutMs",
  "keepDaemons",
  "allowEnv",
  "envFrom",
  "limits",
  "permissions",
  "wrapper",
  "snapshot",
];

const MISPLACED = Object.fromEntries(
  OF_A_SERVER.map((name) => [name, "belongs to a server, below mcpServers"]),
);

const FILE = shape(
  { mcpServers: SERVERS, default: z.optional(z.string()) },
  { open: true, refused: { ...MISPLACED, ...NOT_YET, ...NOT_IN_FILE } },
);

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
  const { mcpServers, servers: ofVsCode } = Object(value) as Record<string, unknown>;
  if (mcpServers === undefined && isObject(ofVsCode)) {
    throw new ConfigurationError(`${source}: mcpServers: missing (VS Code calls it "servers": rename it)`);
  }
  const file = check(FILE, value, { file: source });
  const servers = Object.entries(file.mcpServers)
    .filter(([, entry]) => isServed(entry))
    .map(([name, entry]) => [name, parseServer(name, entry, source, variables)] as const);
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

/** By which other tools know a remote server, which they keep in the same file. */
const REMOTE = ["url", "serverUrl", "httpUrl"];

function isServed(entry: unknown): boolean {
  const members = Object(entry) as Record<string, unknown>;
  const isRemote = members["command"] === undefined && REMOTE.some((name) => members[name] !== undefined);
  return isEnabled(entry) && !isRemote;
}

function parseServer(name: string, entry: unknown, file: string, variables: Variables): ServerConfig {
  const member = `mcpServers.${name}`;
  const server = check(SERVER_IN_FILE, entry, { file, member });
  const expanded = (text: string, inner: string): string =>
    expand(text, variables, `${file}: ${member}.${inner}`);
  const { command, args, env, cwd, tools, limits, permissions, wrapper } = server;
  const read: ServerConfig = {
    command: expanded(command, "command"),
    args: (args ?? []).map((arg, index) => expanded(arg, `args[${index}]`)),
    env: mapValues(env ?? {}, (text, key) => expanded(text, `env.${key}`)),
    ...(cwd !== undefined && { cwd: expanded(cwd, "cwd") }),
    ...(tools !== undefined && { tools: mapTools(tools, (text, inner) => expanded(text, `tools.${inner}`)) }),
    ...(limits && { limits: onlyGiven(limits) }),
    ...(permissions && {
      permissions: mapPermissions(permissions, (text, inner) => expanded(text, `permissions.${inner}`)),
    }),
    ...(wrapper && { wrapper: wrapper.map((text, index) => expanded(text, `wrapper[${index}]`)) }),
    ...settingsOf(server),
  };
  return withWritten(read, server);
}

function mapPermissions(
  permissions: Read<ServerPermissions>,
  change: (path: string, place: string) => string,
): ServerPermissions {
  const { fsRead, fsWrite, ...others } = permissions;
  return {
    ...(fsRead && { fsRead: fsRead.map((path, index) => change(path, `fsRead[${index}]`)) }),
    ...(fsWrite && { fsWrite: fsWrite.map((path, index) => change(path, `fsWrite[${index}]`)) }),
    ...onlyGiven(others),
  };
}

/** What was checked, in which anything may be undefined that may be left out. */
type Read<Value> = { readonly [Key in keyof Value]: Value[Key] | undefined };

function onlyGiven<Value extends object>(read: Read<Value>): Value {
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined)) as Value;
}

function mapTools(
  { allow, deny }: Read<ToolFilter>,
  change: (name: string, place: string) => string,
): ToolFilter {
  return {
    ...(allow && { allow: allow.map((name, index) => change(name, `allow[${index}]`)) }),
    ...(deny && { deny: deny.map((name, index) => change(name, `deny[${index}]`)) }),
  };
}

type Settings = Omit<
  ServerConfig,
  "command" | "args" | "env" | "cwd" | "tools" | "limits" | "permissions" | "wrapper" | "disabled" | "enabled"
>;

/** What stands in the file as it is meant. */
const SETTINGS = [
  "maxProcesses",
  "maxOutputBytes",
  "startTimeoutMs",
  "requestTimeoutMs",
  "era",
  "inputMode",
  "rerun",
  "cacheTtlMs",
  "cacheScope",
  "private",
  "keepDaemons",
  "allowEnv",
  "envFrom",
  "snapshot",
] as const satisfies readonly (keyof Settings)[];

function settingsOf(server: { readonly [Key in keyof Settings]?: Settings[Key] | undefined }): Settings {
  const given = SETTINGS.filter((name) => server[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, server[name]]));
}

function mapValues(
  record: Readonly<Record<string, string>>,
  change: (value: string, key: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}
