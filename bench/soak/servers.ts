import { join } from "node:path";

import { ROOT } from "../servers.ts";

/** What servers of a soak have in their arguments: by it they are found, and what they leave behind. */
export interface Tokens {
  readonly servers: string;
  /** Of the one that leaves its process group on purpose, which nobody promises to end. */
  readonly daemons: string;
}

/** Milliseconds, of servers that never answer. */
const SHORT_MS = 400;

const PLAIN = [
  "asks-client",
  "big",
  "closes-stdout",
  "counter",
  "crashes-at-start",
  "crashes-in-call",
  "dies-after-handshake",
  "dual",
  "environment",
  "exits-leaving-daemon",
  "exits-leaving-grandchild",
  "flood",
  "floods-stderr",
  "ignores-sigterm",
  "killed-in-call",
  "legacy-asks",
  "legacy-exits-on-discover",
  "legacy-watches",
  "modern-only",
  "modern-watches",
  "noisy",
  "oversized",
  "progress",
  "remembers",
  "slow",
  "spawns-grandchild",
] as const;

const NEVER_READY = ["silent"] as const;
const NEVER_ANSWER = ["floods-lines", "ignores-stdin", "silent-in-call"] as const;

export type ServerName =
  | (typeof PLAIN)[number]
  | (typeof NEVER_READY)[number]
  | (typeof NEVER_ANSWER)[number]
  | "missing"
  | "rerun";

/** The servers of a soak, as the `mcp.json` of an adapter. */
export function soakConfig(tokens: Tokens): object {
  const entries = [
    ...PLAIN.map((name) => [name, entry(name, tokens)] as const),
    ...NEVER_READY.map((name) => [name, { ...entry(name, tokens), startTimeoutMs: SHORT_MS }] as const),
    ...NEVER_ANSWER.map((name) => [name, { ...entry(name, tokens), requestTimeoutMs: SHORT_MS }] as const),
    ["missing", { command: join(ROOT, "no-such-program") }] as const,
    ["rerun", { ...entry("legacy-asks", tokens), inputMode: "rerun" }] as const,
  ];
  return {
    mcpServers: { ...Object.fromEntries(entries), environment: environment(tokens) },
    default: "counter",
  };
}

/** Of an adapter that keeps sessions: few servers, so that a deep look at their health is short. */
export function sessionConfig(tokens: Tokens): object {
  const names = ["remembers", "counter", "big"] as const;
  const entries = names.map((name) => [name, entry(name, tokens)] as const);
  return { mcpServers: Object.fromEntries(entries), default: "remembers" };
}

function environment(tokens: Tokens): object {
  return { ...entry("environment", tokens), allowEnv: ["SOAK_TOKEN"] };
}

function entry(name: string, { servers, daemons }: Tokens): object {
  const file = join(ROOT, "test", "fixtures", "servers", `${name}.mjs`);
  const token = name === "exits-leaving-daemon" ? daemons : servers;
  return { command: process.execPath, args: [file, `--token=${token}`] };
}
