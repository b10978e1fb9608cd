// The hostile clients of bench/hostile.ts, in a process of their own. Usage: node --import tsx bench/attackers.ts URL
import { connect } from "node:net";
import type { Socket } from "node:net";

import { ownCpuMs } from "./ways.ts";

/** What a hostile round is made of. */
const SLOW_HEADERS = 250;
const SLOW_BODIES = 250;
const SLOW_READERS = 200;
/** Bytes of their answers: more than the system takes over for the adapter, so that the rest waits in its memory. */
const READ_BYTES = 6 * 1024 ** 2;
/** Readers that wait for their answer at once: each needs a process first, as any caller does. */
const STARTING = 2;
const BIG_BODY_BYTES = 100 * 1024 ** 2;
/** Milliseconds between two of them, and between two requests with many headers. */
const BIG_BODY_MS = 250;
const MANY_HEADERS_MS = 100;

const HEAD = "Host: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n";
const MANY_HEADERS = `POST /mcp HTTP/1.1\r\n${HEAD}${"a: b\r\n".repeat(10_000)}\r\n`;
const PIECE = Buffer.alloc(256 * 1024, " ");

/** What the measuring process says, and hears. */
export type Order = "start" | "stop" | "count";
export interface Report {
  readonly done: Order;
  readonly open: number;
  readonly sent: Readonly<Record<string, number>>;
  readonly cpuMs: number;
}

const [, , url = ""] = process.argv;
const { hostname, port } = new URL(url);
const sockets = new Set<Socket>();
const timers = new Set<NodeJS.Timeout>();
const sent = {
  "slow headers": 0,
  "slow bodies": 0,
  "slow readers": 0,
  "100 MB bodies": 0,
  "10,000 headers": 0,
};
let attacking = false;

process.on("message", (order: Order) => void obey(order));
process.once("disconnect", () => process.exit());

async function obey(order: Order): Promise<void> {
  if (order === "start") await start();
  if (order === "stop") await stop();
  const report: Report = { done: order, open: sockets.size, sent, cpuMs: ownCpuMs() };
  process.send?.(report);
}

async function start(): Promise<void> {
  attacking = true;
  for (let count = 0; count < SLOW_HEADERS; count++) slowly("slow headers", "POST /mcp HTTP/1.1\r\nX-A: ");
  const head = `POST /mcp HTTP/1.1\r\n${HEAD}Content-Length: 1000000\r\n\r\n`;
  for (let count = 0; count < SLOW_BODIES; count++) slowly("slow bodies", head);
  await Promise.all(Array.from({ length: STARTING }, () => readers(SLOW_READERS / STARTING)));
  again(sendBigBody, BIG_BODY_MS);
  again(sendManyHeaders, MANY_HEADERS_MS);
}

async function stop(): Promise<void> {
  attacking = false;
  for (const timer of timers) clearInterval(timer);
  timers.clear();
  const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}

function again(run: () => void, ms: number): void {
  timers.add(setInterval(run, ms));
}

function open(kind: keyof typeof sent): Socket {
  const socket = connect(Number(port), hostname);
  sent[kind] += 1;
  sockets.add(socket);
  // To be cut off is what they are there for.
  socket.on("error", () => undefined);
  socket.once("close", () => sockets.delete(socket));
  return socket;
}

/** One byte a second behind a beginning; whoever is cut off comes again. */
function slowly(kind: "slow headers" | "slow bodies", beginning: string): void {
  const socket = open(kind);
  socket.write(beginning);
  socket.resume();
  const timer = setInterval(() => socket.writable && socket.write("a"), 1000);
  socket.once("close", () => {
    clearInterval(timer);
    if (attacking) setTimeout(() => attacking && slowly(kind, beginning), 100);
  });
}

/** One after the other gets its answer, until that many read one byte a second. */
async function readers(count: number): Promise<void> {
  for (let opened = 0; opened < count; opened++) await reader();
}

/** Resolves when the answer has begun. */
async function reader(): Promise<void> {
  const socket = open("slow readers");
  const call = { name: "big", arguments: { bytes: READ_BYTES } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: call });
  const begun = new Promise<void>((resolve) => {
    socket.once("readable", resolve).once("close", () => resolve());
  });
  socket.write(`POST /mcp/big HTTP/1.1\r\n${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`);
  await begun;
  const timer = setInterval(() => void socket.read(1), 1000);
  socket.once("close", () => {
    clearInterval(timer);
    if (attacking) setTimeout(() => void (attacking && reader()), 100);
  });
}

/** With its length, or in chunks; it goes on until the adapter closes the connection. */
function sendBigBody(): void {
  const socket = open("100 MB bodies");
  const isChunked = sent["100 MB bodies"] % 2 === 0;
  const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${BIG_BODY_BYTES}`;
  const piece = isChunked
    ? Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from("\r\n")])
    : PIECE;
  socket.resume().once("end", () => socket.destroy());
  socket.write(`POST /mcp HTTP/1.1\r\n${HEAD}${framing}\r\n\r\n`);
  const write = (): void => {
    if (socket.writable && socket.bytesWritten < BIG_BODY_BYTES) socket.write(piece, write);
  };
  write();
}

function sendManyHeaders(): void {
  const socket = open("10,000 headers");
  socket.resume().once("end", () => socket.destroy());
  socket.write(MANY_HEADERS);
}
