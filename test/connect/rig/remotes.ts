import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { serve } from "../../../lib/adapters/node.ts";
import type { ServeOptions } from "../../../lib/adapters/node.ts";
import { within } from "../../support/deadline.ts";
import type { Scope } from "../../support/files.ts";
import { testToken } from "../../support/fixture.ts";
import { waitUntilGone } from "../../support/processes.ts";
import { programOf } from "./programs.ts";
import type { Program, Transport } from "./programs.ts";

/** A remote server, and the transport that a client must know to reach it directly. */
export interface Remote {
  readonly title: string;
  readonly transport: Transport;
  /** Which calls show what: the tools of servers/, or those of server-everything. */
  readonly tools: "own" | "everything";
  /** Starts it; after the test it is closed, and no process may be left. */
  start(t: Scope): Promise<URL>;
}

type Mode = Pick<ServeOptions, "sessions" | "sharedSession">;

const WAIT_MS = 20_000;
const EVERYTHING = programOf("@modelcontextprotocol/server-everything");
const LOOPBACK = fileURLToPath(new URL("../servers/_on-loopback.mjs", import.meta.url));
const MODES: Readonly<Record<string, Mode>> = {
  "Mayfly, stateless": { sessions: "none" },
  "Mayfly, a session each": { sessions: "independent" },
  "Mayfly, a shared session": { sessions: "shared" },
  "Mayfly /sse, a process each": { sharedSession: false },
  "Mayfly /sse, shared": { sharedSession: true },
};

/** @param server of servers/, or "everything" */
export function behindMayfly(mode: keyof typeof MODES, server: string): Remote {
  const transport = mode.includes("/sse") ? "sse" : "http";
  return {
    title: `${mode}, in front of ${server}`,
    transport,
    tools: server === "everything" ? "everything" : "own",
    start: (t) => startMayfly(t, server, transport, MODES[mode]),
  };
}

export const EVERYTHING_HTTP = everythingBy("streamableHttp", "mcp");
export const EVERYTHING_SSE = everythingBy("sse", "sse");
export const SDK_DUAL = ownHttp("a v2 SDK server for both eras");
export const SDK_MODERN = ownHttp("a v2 SDK server, modern only", "--modern-only");

/** How to start a server of servers/, or server-everything. */
export function stdioServer(server: string, token = testToken()): Program & { readonly token: string } {
  const file =
    server === "everything"
      ? EVERYTHING
      : fileURLToPath(new URL(`../servers/${server}.mjs`, import.meta.url));
  const args = server === "everything" ? [file, "stdio", token] : [file, `--token=${token}`];
  return { command: process.execPath, args, token };
}

async function startMayfly(t: Scope, server: string, transport: Transport, mode?: Mode): Promise<URL> {
  const { token, command, args } = stdioServer(server);
  const running = await serve({
    mcpServers: { only: { command, args } },
    transports: ["mcp", "sse"],
    port: 0,
    inputMode: "hold",
    ...mode,
  });
  t.after(async () => {
    await within(running.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  return new URL(transport === "sse" ? "/sse" : "/mcp", running.url);
}

function everythingBy(mode: string, path: string): Remote {
  return {
    title: `server-everything by its own ${mode}`,
    transport: path === "sse" ? "sse" : "http",
    tools: "everything",
    start: async (t) => new URL(path, await startHttp(t, ["--import", LOOPBACK, EVERYTHING, mode])),
  };
}

function ownHttp(title: string, ...options: readonly string[]): Remote {
  const file = fileURLToPath(new URL("../servers/http.mjs", import.meta.url));
  return { title, transport: "http", tools: "own", start: (t) => startHttp(t, [file, ...options]) };
}

/** Starts a program that listens on a port of its choice and tells its URL; it ends with its stdin. */
export async function startHttp(t: Scope, args: readonly string[]): Promise<URL> {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env["PATH"], PORT: "0" },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  t.after(async () => {
    child.stdin.end();
    await within(exited, WAIT_MS, "the remote ends").finally(() => child.kill("SIGKILL"));
  });
  const told = new Promise<string>((resolve, reject) => {
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => line.startsWith("listening on ") && resolve(line.slice(13)));
    lines.once("close", () => reject(new Error(`${args.join(" ")} ended before it listened`)));
  });
  return new URL(await within(told, WAIT_MS, "the remote listens"));
}
