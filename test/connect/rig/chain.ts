import assert from "node:assert/strict";

import { serve } from "../../../lib/adapters/node.ts";
import { until, within } from "../../support/deadline.ts";
import type { Scope } from "../../support/files.ts";
import { initialize, notification } from "../../support/rpc.ts";
import type { InitializeOptions, RequestBody } from "../../support/rpc.ts";
import { sharedScope } from "../../support/shared-scope.ts";
import { connectProgram } from "./programs.ts";
import type { Program } from "./programs.ts";
import { startStdio } from "./stdio-client.ts";
import type { Line } from "./stdio-client.ts";

/** What a client asks, one request after the other. */
export interface Conversation {
  readonly initialize?: InitializeOptions;
  readonly requests: readonly RequestBody[];
  /** What it answers to requests of the server, by their method. */
  readonly answers?: Readonly<Record<string, unknown>>;
  /** Messages that come after the last answer. @default 0 */
  readonly after?: number;
}

const WAIT_MS = 30_000;
/** Of the initialize request. */
const START = "start";

/**
 * Holds the conversation with the server itself and through `mayfly connect` and Mayfly's /sse: each line must be the
 * same, byte for byte.
 * @param start gives the server for one of them
 */
export async function sameThroughChain(start: () => Program, conversation: Conversation): Promise<void> {
  const direct = await held(start(), conversation);
  const through = await throughChain(start(), conversation);
  assert.equal(through.length, direct.length, through.map(({ text }) => text.slice(0, 200)).join("\n"));
  // Not deepEqual of all, which makes a difference of two long texts.
  direct.forEach((line, index) => same(comparable(through[index]), comparable(line)));
}

function comparable(line: Line | undefined): string {
  const { text = "", message: { id, method, result } = {} } = line ?? {};
  if (id === START) return withoutTasks(result);
  // Under which id the server asks is for the proxies between to say.
  if (id !== undefined && method !== undefined) return text.replace(`"id":${JSON.stringify(id)}`, "");
  return text;
}

/** Mayfly has no tasks, and says so in the answer to initialize. */
function withoutTasks(result: unknown): string {
  return JSON.stringify(result, (name, value: unknown) => (name === "tasks" ? undefined : value));
}

function same(found: string, expected: string): void {
  if (found === expected) return;
  const at = [...found].findIndex((letter, index) => letter !== expected[index]);
  const near = (text: string): string => text.slice(Math.max(0, at - 60), at + 200);
  assert.fail(`at ${at} of ${found.length}:\n  through: ${near(found)}\n  directly: ${near(expected)}`);
}

async function throughChain(
  { command, args, env = {} }: Program,
  conversation: Conversation,
): Promise<readonly Line[]> {
  const running = await serve({
    mcpServers: { only: { command, args, env } },
    transports: ["sse"],
    sharedSession: false,
    port: 0,
  });
  try {
    return await held(connectProgram(new URL("/sse", running.url)), conversation);
  } finally {
    await within(running.close(0), WAIT_MS, "the adapter closes");
  }
}

/** The lines that came, in their order. */
async function held(program: Program, conversation: Conversation): Promise<readonly Line[]> {
  const scope: Scope & { end(): Promise<void> } = sharedScope();
  const { requests, answers = {}, after = 0 } = conversation;
  try {
    const client = startStdio(scope, program, {
      onLine({ message: { id, method } }) {
        if (id !== undefined && method !== undefined)
          client.send({ jsonrpc: "2.0", id, ...answerOf(answers, method) });
      },
    });
    await client.ask(initialize({ id: START, ...conversation.initialize }));
    client.send(notification("notifications/initialized"));
    for (const request of requests) await client.ask(request);
    const isLast = (): boolean => client.lines.length - lastAnswer(client.lines) > after;
    await until(isLast, { withinMs: WAIT_MS, label: "what comes after the last answer" });
    assert.deepEqual(await client.end(), [0, null], client.stderr());
    return client.lines;
  } finally {
    await scope.end();
  }
}

function answerOf(answers: Readonly<Record<string, unknown>>, method: string): object {
  return method in answers ? { result: answers[method] } : { error: { code: -32601, message: "no" } };
}

function lastAnswer(lines: readonly Line[]): number {
  return lines.findLastIndex(({ message }) => message.method === undefined);
}
