// Runs inside of the rig: starts what was deployed, asks it everything, and tells what it saw as one line of JSON.
import { lookup } from "node:dns/promises";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { waitUntilGone } from "../support/processes.ts";
import { startFunction } from "./function.ts";
import type { Deployed } from "./function.ts";
import { questions } from "./questions.ts";
import type { Question } from "./questions.ts";

export interface Seen extends Pick<Question, "server" | "what"> {
  readonly status: number;
  /** The last message. */
  readonly text: string;
}

/** What a visit found. */
export interface Visit {
  readonly seen: readonly Seen[];
  /** Packets without a way out: until all was answered, and after the visit itself has tried to get out. */
  readonly withoutRoute: readonly [answered: number, tried: number];
  /** How a name is resolved, and the error of writing into each folder. */
  readonly refused: Readonly<Record<string, string>>;
  readonly log: string;
}

const deployed = JSON.parse(process.argv[2] ?? "") as Deployed;
const host = await startFunction(deployed);
const seen: Seen[] = [];
for (const { server, what, init } of questions()) {
  seen.push({ server, what, ...(await host.ask(`/mcp/${server}`, init)) });
}
await host.stop();
await waitUntilGone(join(deployed.folder, "servers"));
const answered = packetsWithoutRoute();
const refused = { "a name": await errorOf(() => lookup("example.com")), ...writing() };
await errorOf(connectOutside);
const visit: Visit = { seen, withoutRoute: [answered, packetsWithoutRoute()], refused, log: host.log() };
process.stdout.write(JSON.stringify(visit));

function writing(): Record<string, string> {
  const folders = ["/", "/var/tmp", "/dev/shm", "/root", deployed.folder];
  return Object.fromEntries(
    folders.map((folder) => [folder, errorOfSync(() => writeFileSync(join(folder, "written"), ""))]),
  );
}

/** Linux counts them for each namespace of the network. An address from a range that is kept for documents. */
function connectOutside(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "192.0.2.1", port: 443 });
    socket.once("connect", () => socket.destroy(new Error("there is a network")));
    socket.once("error", reject);
    socket.once("close", resolve);
  });
}

function packetsWithoutRoute(): number {
  const [names = "", values = ""] = readFileSync("/proc/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Ip:"));
  return Number(values.split(" ")[names.split(" ").indexOf("OutNoRoutes")]);
}

async function errorOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "none";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function errorOfSync(run: () => void): string {
  try {
    run();
    return "none";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
