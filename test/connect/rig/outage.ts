import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { startServing } from "../../support/command.ts";
import type { ServingCommand } from "../../support/command.ts";
import { until, within } from "../../support/deadline.ts";
import { temporaryFolder } from "../../support/files.ts";
import type { Scope } from "../../support/files.ts";
import { fixture } from "../../support/fixture.ts";
import { call } from "../../support/rpc.ts";
import { connectProgram, mcpRemoteProgram } from "./programs.ts";
import type { Program, Transport } from "./programs.ts";
import { startStdio } from "./stdio-client.ts";
import type { StdioClient } from "./stdio-client.ts";

export type Stop = "SIGTERM" | "SIGKILL" | "SIGSTOP";

export interface Mode {
  readonly title: string;
  readonly transport: Transport;
  /** For `mayfly serve`. */
  readonly options: readonly string[];
}

export interface Outage {
  readonly mode: Mode;
  /** SIGSTOP is followed by SIGCONT, the others by another Mayfly on the same port. */
  readonly stop: Stop;
  readonly stopMs: number;
}

/** What the calls came to. */
export interface Summary {
  readonly calls: number;
  readonly failed: number;
  /** Milliseconds from the return of the remote to the first result after it. */
  readonly serviceAfterMs: number;
  readonly slowestMs: number;
}

interface Answered {
  readonly key: string;
  readonly error: string | undefined;
  readonly askedAt: number;
  readonly at: number;
}

export const MODES: readonly Mode[] = [
  { title: "stateless", transport: "http", options: [] },
  { title: "a session each", transport: "http", options: ["--sessions", "independent"] },
  { title: "a shared session", transport: "http", options: ["--sessions", "shared"] },
  { title: "/sse, a process each", transport: "sse", options: ["--shared-session", "false"] },
];

const WAIT_MS = 30_000;
const IN_FLIGHT = 10;
/** A call takes so long, so that a stop always finds some in the middle. */
const CALL_MS = 20;
/** After an error, as a client does that is no loop. */
const PAUSE_MS = 50;
/** Calls that must come through before the stop, and after the return. */
const ENOUGH = 30;

/**
 * Stops a remote under traffic, and lets it come back. No call is carried out twice, each has exactly one answer, and
 * in the end all succeed again.
 */
export async function survives(t: Scope, { mode, stop, stopMs }: Outage): Promise<Summary> {
  const folder = await temporaryFolder(t);
  const [file, port] = [join(folder, "notes"), await freePort()];
  await writeFile(file, "");
  const start = (): Promise<ServingCommand> => startRemote(t, mode, port);
  const remote = await start();
  const client = startStdio(t, programFor(mode, port, folder), { waitMs: WAIT_MS });
  await client.handshake();
  const traffic = startTraffic(client, file);
  await traffic.succeeded(ENOUGH);
  const returnedAt = await interrupt(remote, stop, stopMs, start);
  const first = await traffic.success(returnedAt);
  await traffic.succeeded(ENOUGH);
  const answers = await traffic.end();
  await check(client, answers, file);
  await quiet(client, file);
  assert.deepEqual(await client.end(5000), [0, null], client.stderr());
  return {
    calls: answers.length,
    failed: answers.filter(({ error }) => error !== undefined).length,
    serviceAfterMs: first.at - returnedAt,
    slowestMs: Math.max(...answers.map(({ askedAt, at }) => at - askedAt)),
  };
}

/** One that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function startRemote(t: Scope, { options }: Mode, port: number): Promise<ServingCommand> {
  const { command, args, token } = fixture("notes-calls");
  return startServing(t, [...options, "--", command, ...args], { port, token });
}

function programFor({ transport }: Mode, port: number, home: string): Program {
  const url = new URL(transport === "sse" ? "/sse" : "/mcp", `http://127.0.0.1:${port}`);
  if (process.env["CONNECT_THROUGH"] === "mcp-remote") return mcpRemoteProgram(url, transport, home);
  return connectProgram(url);
}

/** @returns `performance.now()` when the remote was there again */
async function interrupt(
  remote: ServingCommand,
  stop: Stop,
  stopMs: number,
  start: () => Promise<unknown>,
): Promise<number> {
  remote.process.kill(stop);
  if (stop === "SIGSTOP") {
    await delay(stopMs);
    remote.process.kill("SIGCONT");
    return performance.now();
  }
  await remote.exit();
  await delay(stopMs);
  await start();
  return performance.now();
}

interface Traffic {
  /** Resolves when so many more calls have succeeded. */
  succeeded(count: number): Promise<void>;
  /** The first call that has succeeded and was answered after this time. */
  success(since: number): Promise<Answered>;
  /** Lets the calls in flight end; all that were made. */
  end(): Promise<readonly Answered[]>;
}

function startTraffic(client: StdioClient, file: string): Traffic {
  const answers: Answered[] = [];
  const over = new AbortController();
  let asked = 0;
  const work = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const answer = await answered(client, file, `call-${(asked += 1)}`);
      answers.push(answer);
      if (answer.error !== undefined) await delay(PAUSE_MS);
    }
  };
  const working = Promise.all(Array.from({ length: IN_FLIGHT }, work));
  // A call without an answer fails the wait for what comes next.
  working.catch(() => undefined);
  const good = (): Answered[] => answers.filter(({ error }) => error === undefined);
  const waited = <Value>(check: () => Value) =>
    Promise.race([
      until(check, { withinMs: WAIT_MS, label: () => `calls succeed: ${answers.at(-1)?.error}` }),
      working.then(() => assert.fail("the traffic has ended")),
    ]);
  return {
    async succeeded(count) {
      const goal = good().length + count;
      await waited(() => good().length >= goal);
    },
    success: (since) => waited(() => good().find(({ at }) => at > since)),
    async end() {
      over.abort();
      await within(working, WAIT_MS, "the last calls end");
      return answers;
    },
  };
}

async function answered(client: StdioClient, file: string, key: string): Promise<Answered> {
  const askedAt = performance.now();
  const { message, at } = await client.ask(call("note", { file, key, delayMs: CALL_MS }, { id: key }));
  return { key, error: message.error?.message, askedAt, at };
}

async function check(client: StdioClient, answers: readonly Answered[], file: string): Promise<void> {
  const notes = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  assert.deepEqual(repeated(notes), [], "carried out twice");
  const ids = client.lines.flatMap(({ message: { id, method } }) => (method === undefined ? String(id) : []));
  assert.deepEqual(repeated(ids), [], "answered twice");
  const noted = new Set(notes);
  const lost = answers.filter(({ key, error }) => error === undefined && !noted.has(key));
  assert.deepEqual(lost, [], "answered without being carried out");
}

/** What is carried out or answered late would come with the next call, if not before. */
async function quiet(client: StdioClient, file: string): Promise<void> {
  const last = await answered(client, file, "last");
  assert.equal(last.error, undefined);
  await check(client, [last], file);
}

function repeated(values: readonly string[]): string[] {
  return values.filter((value, index) => values.indexOf(value) !== index);
}
