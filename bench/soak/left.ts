import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { until, within } from "../../test/support/deadline.ts";
import { modern } from "../../test/support/modern.ts";
import { call, initialize, notification, post } from "../../test/support/rpc.ts";
import { ask, events, open, send } from "./client.ts";
import type { Sent } from "./client.ts";
import { begin, heard, lastOf } from "./job.ts";
import type { Job, Kind } from "./job.ts";

/** What its client leaves, or says that it waits for no longer. */
export const LEFT: Readonly<Record<string, Kind>> = {
  "left before the head": { weight: 5, run: leaveBeforeHead },
  "left while the tool runs": { weight: 3, run: leaveInCall },
  "left in the body of the request": { weight: 3, run: leaveInBody },
  "left in the middle of 20 MB": { weight: 2, run: leaveBigAnswer },
  "left in the middle of progress": { weight: 4, run: leaveProgress },
  "left in a flood of notifications": { weight: 2, run: leaveFlood },
  "left while a server ignores SIGTERM": { weight: 2, run: leaveStubborn },
  "cancelled by a notification": { weight: 3, run: cancel },
  "a subscription of a legacy server, dropped": {
    weight: 3,
    run: (job) => subscribe(job, "legacy-watches", { toolsListChanged: true }),
  },
  "a subscription of a modern server, dropped": {
    weight: 3,
    run: (job) => subscribe(job, "modern-watches", { resourceSubscriptions: ["test://x"] }),
  },
};

const SOON_MS = 200;
const WAIT_MS = 60_000;

async function leaveBeforeHead(job: Job): Promise<void> {
  const server = job.random.pick(["counter", "silent", "big", "spawns-grandchild", "missing"] as const);
  const sent = begin(job, server, "big");
  await delay(job.random.below(SOON_MS));
  sent.leave();
}

async function leaveInCall(job: Job): Promise<void> {
  const file = join(job.folder, `wait-${job.index}`);
  const sent = begin(job, "slow", "wait", { file });
  await reached(sent, file);
  sent.leave();
}

/** Resolves when the call has reached its server, which says so in the file. @throws Refused */
async function reached(sent: Sent, file: string): Promise<void> {
  const state: { refusal?: Error } = {};
  open(sent, "a call that waits").catch((error: Error) => (state.refusal = error));
  const isCalled = async (): Promise<boolean> => {
    if (state.refusal) throw state.refusal;
    return (await readFile(file, "utf8").catch(() => "")).startsWith("called");
  };
  await until(isCalled, { withinMs: WAIT_MS, label: "the call reaches the server" });
}

async function leaveInBody(job: Job): Promise<void> {
  const { body, headers } = post(call("count"));
  const sent = send(job.door, "/mcp/counter", {
    method: "POST",
    headers: { ...headers, "content-length": String(body.length + 1) },
  });
  sent.request.write(body.slice(0, job.random.below(body.length)));
  await delay(job.random.below(SOON_MS));
  sent.leave();
}

const TOO_BIG_BYTES = 20 * 1024 ** 2;

async function leaveBigAnswer(job: Job): Promise<void> {
  const sent = begin(job, "big", "big", { bytes: TOO_BIG_BYTES });
  const incoming = await open(sent, "a big answer");
  await within(once(incoming, "data"), WAIT_MS, "the first bytes");
  sent.leave();
}

async function leaveProgress(job: Job): Promise<void> {
  const args = { steps: 10_000, delayMs: 20 };
  await leaveStream(begin(job, "progress", "progress", args, { progressToken: 1 }), 1 + job.random.below(5));
}

async function leaveFlood(job: Job): Promise<void> {
  await leaveStream(begin(job, "flood", "flood", {}), 1 + job.random.below(500));
}

/** Goes when that many messages have come. */
async function leaveStream(sent: Sent, messages: number): Promise<void> {
  let seen = 0;
  try {
    for await (const message of events(await open(sent, "a stream"))) {
      if (message) seen += 1;
      if (message) assert.ok(heard(message).method, JSON.stringify(message));
      if (seen >= messages) return;
    }
  } finally {
    sent.leave();
  }
  assert.fail(`the stream ended after ${seen} messages`);
}

async function leaveStubborn(job: Job): Promise<void> {
  const sent = begin(job, "ignores-sigterm", "any", { hang: true });
  await delay(SOON_MS + job.random.below(SOON_MS));
  sent.leave();
}

async function cancel(job: Job): Promise<void> {
  const opened = await ask(job.door, "/mcp/slow", post(initialize()));
  assert.ok(lastOf(opened).result, opened.text);
  const session = { "mcp-session-id": String(opened.headers["mcp-session-id"]) };
  const file = join(job.folder, `cancelled-${job.index}`);
  const sent = send(job.door, "/mcp/slow", post(call("wait", { file }, { id: 5 }), session));
  await reached(sent, file);
  const word = post(notification("notifications/cancelled", { requestId: 5 }), session);
  const { status } = await ask(job.door, "/mcp/slow", word);
  assert.equal(status, 202);
  const incoming = await open(sent, "the cancelled call");
  const ended = incoming.toArray().then((chunks) => Buffer.concat(chunks as Buffer[]).toString());
  const text = await within(ended, WAIT_MS, "the end of a cancelled call");
  assert.ok(
    !text.includes('"result"') && !text.includes('"error"'),
    `an answer to a cancelled call: ${text}`,
  );
}

async function subscribe(
  job: Job,
  server: "legacy-watches" | "modern-watches",
  notifications: object,
): Promise<void> {
  const sent = send(
    job.door,
    `/mcp/${server}`,
    modern("subscriptions/listen", { notifications }, { id: "s" }),
  );
  await leaveStream(sent, 1 + job.random.below(4));
}
