import { join } from "node:path";

import { ROOT } from "../servers.ts";

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
export function soakConfig(token: string): object {
  const entries = [
    ...PLAIN.map((name) => [name, entry(name, token)] as const),
    ...NEVER_READY.map((name) => [name, { ...entry(name, token), startTimeoutMs: SHORT_MS }] as const),
    ...NEVER_ANSWER.map((name) => [name, { ...entry(name, token), requestTimeoutMs: SHORT_MS }] as const),
    ["missing", { command: join(ROOT, "no-such-program") }] as const,
    ["rerun", { ...entry("legacy-asks", token), inputMode: "rerun" }] as const,
  ];
  return {
    mcpServers: { ...Object.fromEntries(entries), environment: environment(token) },
    default: "counter",
  };
}

/** Of an adapter that keeps sessions: few servers, so that a deep look at their health is short. */
export function sessionConfig(token: string): object {
  const names = ["remembers", "counter", "big"] as const;
  const entries = names.map((name) => [name, entry(name, token)] as const);
  return { mcpServers: Object.fromEntries(entries), default: "remembers" };
}

function environment(token: string): object {
  return { ...entry("environment", token), allowEnv: ["SOAK_TOKEN"] };
}

function entry(name: string, token: string): object {
  const file = join(ROOT, "test", "fixtures", "servers", `${name}.mjs`);
  return { command: process.execPath, args: [file, `--token=${token}`] };
}
