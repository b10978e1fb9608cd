// What idle HTTP+SSE connections take, and whether it is given back. Needs /proc: Linux.
// Usage: npm run bench:sessions -- [--connections N]
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { until, within } from "../test/support/deadline.ts";
import { machineFacts } from "./machine.ts";
import { table } from "./statistics.ts";

/** Bytes, but for the descriptors. */
interface Taken {
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
  readonly descriptors: number;
}

interface Connection {
  readonly request: ClientRequest;
  readonly endpoint: () => boolean;
  readonly heartbeats: () => number;
}

const HOST = fileURLToPath(new URL("session-host.mjs", import.meta.url));
const WAIT_MS = 60_000;
/** Two of them show that they go on. */
const HEARTBEATS = 2;
/** Connections that open at the same time. */
const AT_ONCE = 50;
const KIBI = 1024;
/** Of what the connections took: so much of the heap may still be there afterwards, for caches and compiled code. */
const HEAP_TOLERANCE = 0.1;
/** The allocator keeps pages for the next time. */
const RSS_TOLERANCE = 0.75;

const { values } = parseArgs({ options: { connections: { type: "string", default: "1000" } } });
await main(Number(values.connections));

async function main(count: number): Promise<void> {
  if (!(count >= 1)) throw new Error("not a number of connections");
  console.log(`${machineFacts()}\n`);
  const host = fork(HOST, { execArgv: ["--expose-gc"] });
  try {
    const [{ url }] = (await within(once(host, "message"), WAIT_MS, "the adapter")) as [{ url: string }];
    await measure(host, url, count);
  } finally {
    host.disconnect();
    await within(once(host, "exit"), WAIT_MS, "the adapter ends").finally(() => host.kill("SIGKILL"));
  }
}

async function measure(host: ChildProcess, url: string, count: number): Promise<void> {
  // What is compiled and kept for the next time must not count.
  await disconnect(host, await connect(url, count), await taken(host));
  const before = await taken(host);
  const connections = await connect(url, count);
  const during = await taken(host);
  const isAlive = (): boolean => connections.every(({ heartbeats }) => heartbeats() >= HEARTBEATS);
  await until(isAlive, { withinMs: WAIT_MS, label: `${HEARTBEATS} heartbeats on each connection` });
  const beating = await taken(host);
  const after = await disconnect(host, connections, before);
  report(count, [
    ["before", before],
    [`${count} connections`, during],
    [`after ${HEARTBEATS} heartbeats`, beating],
    ["after all have left", after],
  ]);
  check(before, beating, after);
}

async function connect(url: string, count: number): Promise<readonly Connection[]> {
  const connections: Connection[] = [];
  while (connections.length < count) {
    const fresh = Array.from({ length: Math.min(AT_ONCE, count - connections.length) }, () => open(url));
    const isOpen = (): boolean => fresh.every(({ endpoint }) => endpoint());
    await until(isOpen, { withinMs: WAIT_MS, label: "the event endpoint" });
    connections.push(...fresh);
  }
  return connections;
}

function open(url: string): Connection {
  let text = "";
  let heartbeats = 0;
  const request = get(`${url}/sse`, { agent: false, headers: { accept: "text/event-stream" } });
  // It is broken off from here in the end.
  request.on("error", () => undefined);
  request.once("response", (response: IncomingMessage) => {
    response.on("error", () => undefined);
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text = text.includes("\n\n") ? text : text + chunk;
      heartbeats += chunk.split("\n").filter((line) => line.startsWith(":")).length;
    });
  });
  return { request, endpoint: () => text.includes("event: endpoint"), heartbeats: () => heartbeats };
}

/** Breaks all of them off; what is taken when their descriptors are closed. */
async function disconnect(host: ChildProcess, all: readonly Connection[], before: Taken): Promise<Taken> {
  for (const { request } of all) request.destroy();
  const settled = async (): Promise<Taken | undefined> => {
    const now = await taken(host);
    return now.descriptors <= before.descriptors ? now : undefined;
  };
  return until(settled, { withinMs: WAIT_MS, label: "the descriptors are closed" });
}

async function taken(host: ChildProcess): Promise<Taken> {
  const answer = once(host, "message") as Promise<[Taken]>;
  host.send("measure");
  const [found] = await within(answer, WAIT_MS, "the measurement");
  return found;
}

function report(count: number, rows: readonly (readonly [title: string, taken: Taken])[]): void {
  const [[, base]] = rows as readonly [readonly [string, Taken]];
  const kibi = (bytes: number): string => (bytes / KIBI).toFixed(0);
  const each = (bytes: number): string => (bytes / KIBI / count).toFixed(1);
  const cells = rows.map(([title, { rss, heap, external, descriptors }]) => [
    title,
    kibi(rss),
    kibi(heap),
    kibi(external),
    String(descriptors),
    each(rss - base.rss),
    each(heap - base.heap),
  ]);
  const head = ["", "RSS KiB", "heap KiB", "external KiB", "descriptors", "RSS KiB each", "heap KiB each"];
  console.log(table(head, cells));
}

function check(before: Taken, during: Taken, after: Taken): void {
  const left = (member: "rss" | "heap"): number =>
    Math.max(0, after[member] - before[member]) / Math.max(1, during[member] - before[member]);
  const parts = `${(left("heap") * 100).toFixed(0)} % of the heap and ${(left("rss") * 100).toFixed(0)} % of the RSS`;
  console.log(`\nLeft when all have gone: ${parts}, ${after.descriptors - before.descriptors} descriptors.`);
  if (left("heap") > HEAP_TOLERANCE || left("rss") > RSS_TOLERANCE) throw new Error("that is too much");
}
