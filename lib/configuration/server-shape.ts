import * as z from "zod/mini";

import { ERA_SETTINGS } from "../exchange/era-memory.ts";
import { flawsOfSources, isSameVariable } from "../credential-sources.ts";
import { isObject } from "../jsonrpc.ts";
import { flawOfAllowed } from "../request-variables.ts";
import { flawOfPlaceholders } from "../sandbox/placeholders.ts";
import { choice, count, milliseconds, positiveMs, text, texts, truth } from "./members.ts";
import { INPUT_MODES, SNAPSHOT_SETTINGS } from "./options.ts";
import type { ServerConfig, ServerLimits, ServerPermissions, ToolFilter } from "./options.ts";
import { shape } from "./shape.ts";
import type { Members } from "./shape.ts";

/** An entry of `allowEnv`. */
const settable = z.string().check(({ value, issues }) => {
  const message = flawOfAllowed(value);
  if (message !== undefined) issues.push({ code: "custom", message, input: value });
});

export const settables = z.optional(z.array(settable));

/** Each variable for itself, before the record is read: that would leave `__proto__` out in silence. */
const sources = z.unknown().check(({ value, issues }) => {
  if (!isObject(value)) return;
  for (const [variable, message] of flawsOfSources(value)) {
    issues.push({ code: "custom", message, input: value, path: [variable] });
  }
});

const toolNames = z.optional(z.array(z.string().check(z.minLength(1, "expected the name of a tool"))));

/** No other tool has keys here: whatever is not known was meant to hide something. */
const TOOLS = shape({ allow: toolNames, deny: toolNames } satisfies Members<ToolFilter>);

/** Far above what any system has, and far below what a shell can count. */
const MAX_LIMIT = 2 ** 31 - 1;

function limit(from: number) {
  const range = `expected a whole number from ${from} to ${MAX_LIMIT}`;
  return z.optional(z.int(range).check(z.gte(from, range), z.lte(MAX_LIMIT, range)));
}

const LIMITS = shape(
  {
    cpuSeconds: limit(1),
    addressSpaceMiB: limit(1),
    heapMiB: limit(1),
    openFiles: limit(1),
    fileMiB: limit(0),
    coreMiB: limit(0),
  } satisfies Members<ServerLimits>,
  { hint: "expected cpuSeconds, addressSpaceMiB, heapMiB, openFiles, fileMiB or coreMiB" },
);

/** An argument in which `{home}` and the like are filled in. */
const template = z.string().check(({ value, issues }) => {
  const message = flawOfPlaceholders(value);
  if (message !== undefined) issues.push({ code: "custom", message, input: value });
});

/** Node 20 takes a comma for the end of a path, and every Node takes `*` for anything. */
const path = template.check(({ value, issues }) => {
  const isPath = value === "*" || (value !== "" && value !== "{env}" && !/[*,]/.test(value));
  const message = 'expected a path without "*" and ",", or "*" for all';
  if (!isPath) issues.push({ code: "custom", message, input: value });
});

const PERMISSIONS = shape(
  {
    fsRead: z.optional(z.array(path)),
    fsWrite: z.optional(z.array(path)),
    childProcess: truth,
    worker: truth,
    addons: truth,
    wasi: truth,
    net: truth,
  } satisfies Members<ServerPermissions>,
  { hint: "expected fsRead, fsWrite, childProcess, worker, addons, wasi or net" },
);

const WRAPPER = z.array(template).check(z.minLength(1, "expected a program and its arguments"));

/** What a server may have. */
export const SERVER_MEMBERS = {
  command: z.string().check(z.minLength(1, "expected a command")),
  args: texts,
  env: z.optional(z.record(z.string(), z.string())),
  cwd: text,
  disabled: truth,
  enabled: truth,
  maxProcesses: count,
  maxOutputBytes: count,
  startTimeoutMs: positiveMs,
  requestTimeoutMs: positiveMs,
  era: z.optional(choice(ERA_SETTINGS)),
  inputMode: z.optional(choice(INPUT_MODES)),
  rerun: z.optional(choice(["safe", "always"])),
  cacheTtlMs: milliseconds,
  cacheScope: z.optional(choice(["public", "private"])),
  tools: z.optional(TOOLS),
  private: truth,
  keepDaemons: truth,
  allowEnv: settables,
  envFrom: z.optional(z.pipe(sources, z.record(z.string(), z.string()))),
  limits: z.optional(LIMITS),
  permissions: z.optional(PERMISSIONS),
  wrapper: z.optional(WRAPPER),
  snapshot: z.optional(choice(SNAPSHOT_SETTINGS)),
} satisfies Members<ServerConfig>;

/** Members of a server alone, which somebody may write where they have no effect. */
export const ONLY_OF_A_SERVER = [
  "command",
  "args",
  "env",
  "cwd",
  "disabled",
  "enabled",
  "era",
  "rerun",
  "cacheTtlMs",
  "cacheScope",
  "tools",
  "private",
  "keepDaemons",
  "envFrom",
  "limits",
  "permissions",
  "wrapper",
] as const satisfies readonly (keyof ServerConfig)[];

/** To ignore them could open what they were meant to close. */
export const NOT_YET = {
  headerToEnv: 'is of another program: write "envFrom": { "TOKEN": "header:x-token" }',
  envFile: 'is not read: put the variables into "env"',
  disabledTools: 'is of another program: write "tools": { "deny": [...] }',
  excludeTools: 'is of another program: write "tools": { "deny": [...] }',
  enabledTools: 'is of another program: write "tools": { "allow": [...] }',
  includeTools: 'is of another program: write "tools": { "allow": [...] }',
};

/** Options of `serve` that limit what a client may take of its connections. */
export const OF_CONNECTIONS = [
  "headersTimeoutMs",
  "maxHeaderBytes",
  "maxHeaders",
  "stallTimeoutMs",
  "maxUnsentBytes",
  "maxConnections",
];

/** Options that close or limit something, and that no other tool has in this file: to ignore them would leave it open. */
const OF_THE_HOST = [
  "authKeys",
  "allowAnonymous",
  "authenticate",
  "corsOrigins",
  "allowedHosts",
  "passEnv",
  "stateSecrets",
  "maxQueued",
  "queueTimeoutMs",
  "maxBodyBytes",
  "bodyTimeoutMs",
  "maxMessageBytes",
  "maxBufferedBytes",
  ...OF_CONNECTIONS,
  "killGraceMs",
  "sessionIdleMs",
  "sharedSession",
  "snapshotTtlMs",
];

const BESIDE_SERVERS = Object.fromEntries(
  OF_THE_HOST.map((name) => [name, "stands beside mcpServers, and not in a server"]),
);

export const NOT_IN_FILE = Object.fromEntries(
  OF_THE_HOST.map((name) => [
    name,
    "is an option of the command and of the library, and has no effect in this file",
  ]),
);

type Pairs = Readonly<Record<string, string>> | undefined;

/** A variable has one value: the operator's, or that of whoever calls. */
const CONTRADICTION: z.core.CheckFn<{ env?: Pairs; envFrom?: Pairs }> = ({ value, issues }) => {
  const own = Object.keys(value.env ?? {});
  for (const variable of Object.keys(value.envFrom ?? {})) {
    const same = own.find((name) => isSameVariable(name, variable));
    if (same === undefined) continue;
    const message = `stands in env too, as ${same}: the value is yours, or that of the request`;
    issues.push({ code: "custom", message, input: value, path: ["envFrom", variable] });
  }
};

/** A server as the library takes it. */
export const SERVER = shape(SERVER_MEMBERS, {
  refused: {
    ...NOT_YET,
    ...BESIDE_SERVERS,
    url: "is of a remote server, which this version does not connect to",
  },
  hint: "parseMcpJson leaves out those of other tools",
}).check(CONTRADICTION);

/** A server in a file that other tools read too. */
export const SERVER_IN_FILE = shape(
  { ...SERVER_MEMBERS, spares: z.optional(z.literal(0, "this version supports 0")) },
  { open: true, refused: { ...NOT_YET, ...NOT_IN_FILE, cmd: 'is called "command"' } },
).check(CONTRADICTION);

/** What a server may be called: it stands in paths. */
export const SERVER_NAME = /^[\w.-]+$/;

/** Servers by name, each of which is looked at alone: one that is not served may hold anything. */
export const SERVERS = z.record(
  z.string().check(z.regex(SERVER_NAME, "expected a name of letters, digits, '.', '_' and '-'")),
  z.unknown(),
);

/** Whether the operator has not switched it off. */
export function isEnabled(entry: unknown): boolean {
  const { disabled, enabled } = Object(entry) as Record<string, unknown>;
  return disabled !== true && enabled !== false;
}
