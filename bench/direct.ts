import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";

import { ROOT, callText } from "./servers.ts";
import type { BenchServer } from "./servers.ts";
import { ownCpuMs } from "./ways.ts";
import type { Way } from "./ways.ts";

type Environment = Readonly<Record<string, string>>;

/** The least a client of its own could do: one process for one call. */
export function direct(env: Environment): Way {
  let last: Peer | undefined;
  return {
    name: "direct",
    async run(server) {
      last = startServer(server, env);
      await last.handshake();
      return last.ask(callText(server, 1), 1);
    },
    settled: async () => last?.end(),
    cpuMs: ownCpuMs,
    close: async () => last?.end(),
  };
}

/** What a process that stays would take: one call on a server that is started and initialized. */
export async function warm(env: Environment, servers: readonly BenchServer[]): Promise<Way> {
  const peers = new Map(servers.map((server) => [server.name, startServer(server, env)]));
  let id = 0;
  await Promise.all([...peers.values()].map((peer) => peer.handshake()));
  return {
    name: "warm process",
    async run(server) {
      id += 1;
      return (await peers.get(server.name)?.ask(callText(server, id), id)) ?? "";
    },
    settled: () => Promise.resolve(),
    cpuMs: ownCpuMs,
    close: async () => void (await Promise.all([...peers.values()].map((peer) => peer.end()))),
  };
}

interface Peer {
  handshake(): Promise<void>;
  /** Writes the message; the line that answers it. */
  ask(text: string, id: number): Promise<string>;
  end(): Promise<void>;
}

/** What Mayfly says for a client that sent no handshake. */
const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    clientInfo: { name: "mcp-mayfly", version: "0.1.0" },
    capabilities: {},
  },
});
const INITIALIZED = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });

/** In a session of its own, as Mayfly starts it: on a busy machine such a process gets another share of the CPU. */
function startServer({ name, args, env: own }: BenchServer, env: Environment): Peer {
  const child = spawn(process.execPath, args, { detached: true, env: { ...env, ...own }, cwd: ROOT });
  const exited = once(child, "exit");
  const kill = (): void => killGroup(child);
  // When the benchmark itself is stopped or fails.
  process.once("exit", kill);
  child.stderr.resume();
  const lines = linesOf(child);
  const ask = async (text: string, id: number): Promise<string> => {
    child.stdin.write(`${text}\n`);
    for (let next = await lines.next(); !next.done; next = await lines.next()) {
      const message = JSON.parse(next.value) as { id?: unknown; method?: unknown };
      if (message.id === id && message.method === undefined) return next.value;
    }
    throw new Error(`${name} ended without an answer to ${text}`);
  };
  return {
    ask,
    async handshake() {
      await ask(INITIALIZE, 0);
      child.stdin.write(`${INITIALIZED}\n`);
    },
    async end() {
      kill();
      await exited;
      process.off("exit", kill);
    },
  };
}

function killGroup({ pid, exitCode, signalCode }: ChildProcessWithoutNullStreams): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, "SIGKILL");
}

async function* linesOf({ stdout }: ChildProcessWithoutNullStreams): AsyncGenerator<string, void, void> {
  let rest = "";
  stdout.setEncoding("utf8");
  for await (const chunk of stdout as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
