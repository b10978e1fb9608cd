import assert from "node:assert/strict";

import { modernCall } from "../../test/support/modern.ts";
import type { Message } from "../../test/support/live-stream.ts";
import { call, post } from "../../test/support/rpc.ts";
import type { Adapter } from "./adapter.ts";
import { Refused, ask, send } from "./client.ts";
import type { Answer, Door, Sent } from "./client.ts";
import type { Ledger } from "./ledger.ts";
import { createRandom } from "./random.ts";
import type { Random } from "./random.ts";
import type { ServerName } from "./servers.ts";

/** One request of a soak, or the few that belong together. */
export interface Job {
  /** In the order of starting: what a server writes to is named by it. */
  readonly index: number;
  readonly random: Random;
  /** The adapter with a process for each request. */
  readonly door: Door;
  /** The adapter that keeps sessions. */
  readonly sessionDoor: Door;
  /** Where servers may write. */
  readonly folder: string;
  /** What would let a process go on that waits for its user, who has left. */
  readonly forgotten: string[];
}

/** Rejects unless everything was answered as it must be; with {@link Refused} if the adapter had no room and said so. */
export type Run = (job: Job) => Promise<void>;

export interface Kind {
  /** How often it comes, in relation to the others. */
  readonly weight: number;
  readonly run: Run;
}

/** What all requests of a soak share. */
export interface Load extends Pick<Job, "door" | "sessionDoor" | "folder"> {
  readonly adapters: readonly Adapter[];
  readonly ledger: Ledger;
  /** Stands in the arguments of all servers: by it they are found, and what they leave behind. */
  readonly token: string;
  readonly seed: number;
  /** Clients at the same time. */
  readonly concurrency: number;
  /** Milliseconds, after a first round with each kind. */
  readonly forMs: number;
}

/** The same numbers for the same seed and request, whatever runs beside it. */
export function jobOf(load: Load, index: number, forgotten: string[]): Job {
  const { door, sessionDoor, folder, seed } = load;
  return {
    index,
    random: createRandom(seed ^ Math.imul(index + 1, 0x9e3779b1)),
    door,
    sessionDoor,
    folder,
    forgotten,
  };
}

/** A tools/call of a legacy client. */
export function callOf({ door }: Job, server: ServerName, tool: string, args: object = {}): Promise<Answer> {
  return ask(door, `/mcp/${server}`, post(call(tool, { ...args })));
}

/** A tools/call of a modern client. */
export function modernCallOf(
  { door }: Job,
  server: ServerName,
  ...words: Parameters<typeof modernCall>
): Promise<Answer> {
  return ask(door, `/mcp/${server}`, modernCall(...words));
}

/** A tools/call on a connection of its own, to be left. */
export function begin(
  { door }: Job,
  server: ServerName,
  tool: string,
  args: object = {},
  meta?: Readonly<Record<string, unknown>>,
): Sent {
  return send(door, `/mcp/${server}`, post(call(tool, { ...args }, meta === undefined ? {} : { meta })));
}

/** The last message of an answer with status 200. */
export function lastOf({ status, messages, text }: Answer): Message {
  const last = messages.at(-1);
  assert.ok(status === 200 && last, `status ${status}: ${text.slice(0, 500)}`);
  return last;
}

/** The text of a tool's result. */
export function textOf(answer: Answer): string {
  const { result, error } = lastOf(answer);
  const [block] = (result?.["content"] ?? []) as readonly { readonly text?: string }[];
  assert.ok(block?.text !== undefined, `no result: ${JSON.stringify(error)}`);
  return block.text;
}

/** A failure of the server, told as an error with that reason. */
export function assertReason(answer: Answer, reason: string): void {
  assert.equal(lastOf(answer).error?.data?.["reason"], reason, answer.text.slice(0, 500));
}

/** A message of a stream: an event that tells of an overload is a refusal like any other. */
export function heard(message: Message): Message {
  if (message.error?.data?.["reason"] === "overloaded") throw new Refused(message.error.message);
  return message;
}
