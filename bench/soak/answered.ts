import assert from "node:assert/strict";

import { bigText } from "../../test/support/fixture.ts";
import { modern } from "../../test/support/modern.ts";
import { call, notification, post, request } from "../../test/support/rpc.ts";
import { ask, events, open, readSlowly } from "./client.ts";
import { begin, callOf, heard, lastOf, modernCallOf, textOf } from "./job.ts";
import type { Job, Kind } from "./job.ts";

const MEGABYTE = 1024 ** 2;
const BIG_BYTES = 20 * MEGABYTE;
/** It is compared often. */
const BIG_TEXT = bigText(BIG_BYTES);

/** What is answered in full, however the server behaves. */
export const ANSWERED: Readonly<Record<string, Kind>> = {
  "a small answer": { weight: 20, run: count },
  "an answer of 1 MB": { weight: 4, run: (job) => big(job, MEGABYTE) },
  "an answer of 20 MB": { weight: 2, run: (job) => big(job, BIG_BYTES) },
  "an answer of 20 MB, translated": { weight: 1, run: bigTranslated },
  "an answer of 1 MB, read slowly": { weight: 1, run: bigSlowly },
  "progress, read fully": { weight: 4, run: progress },
  "a flood of notifications, read fully": { weight: 1, run: flood },
  "a flood of stderr": { weight: 2, run: floodOfStderr },
  "garbage around the answer": { weight: 4, run: (job) => answers(job, "noisy", "any", /^ok$/) },
  "a server that ignores SIGTERM": {
    weight: 3,
    run: (job) => answers(job, "ignores-sigterm", "any", /^ok$/),
  },
  "a server with a child of its own": {
    weight: 3,
    run: (job) => answers(job, "spawns-grandchild", "any", /^\d+$/),
  },
  "a batch": { weight: 4, run: batch },
  "a modern client, a modern server": { weight: 4, run: modernAnswer },
  "a modern client, a legacy server": { weight: 4, run: modernOnLegacy },
  "a modern client, a server of both eras": { weight: 3, run: modernOnDual },
  "a legacy client, a modern server": {
    weight: 4,
    run: (job) => answers(job, "modern-only", "count", /^\d+$/),
  },
  "a modern client's discovery": { weight: 2, run: discovery },
  "credentials by URL": { weight: 4, run: credentials },
  "a ping, which needs no process": { weight: 4, run: ping },
  "a notification, which needs none": { weight: 3, run: told },
};

async function count(job: Job): Promise<void> {
  assert.equal(textOf(await callOf(job, "counter", "count")), "1");
}

async function answers(
  job: Job,
  server: Parameters<typeof callOf>[1],
  tool: string,
  text: RegExp,
): Promise<void> {
  assert.match(textOf(await callOf(job, server, tool)), text);
}

async function big(job: Job, bytes: number): Promise<void> {
  const text = textOf(await callOf(job, "big", "big", { bytes }));
  assert.ok(text === BIG_TEXT.slice(0, bytes), "the big answer is whole");
}

async function bigTranslated(job: Job): Promise<void> {
  const text = textOf(await modernCallOf(job, "big", "big", { bytes: BIG_BYTES }));
  assert.ok(text === BIG_TEXT, "the big answer is whole");
}

const PAUSE_MS = 10;

async function bigSlowly(job: Job): Promise<void> {
  const incoming = await open(begin(job, "big", "big", { bytes: MEGABYTE }), "a big answer");
  const text = textOf(await readSlowly(incoming, PAUSE_MS));
  assert.ok(text === BIG_TEXT.slice(0, MEGABYTE), "the big answer is whole");
}

async function progress(job: Job): Promise<void> {
  const steps = 1 + job.random.below(20);
  const sent = begin(job, "progress", "progress", { steps, delayMs: 5 }, { progressToken: job.index });
  const seen: unknown[] = [];
  let last;
  for await (const message of events(await open(sent, "progress"))) {
    last = message && heard(message);
    if (message?.method === "notifications/progress") seen.push(message.params?.["progress"]);
  }
  assert.deepEqual(
    seen,
    Array.from({ length: steps }, (_, step) => step + 1),
  );
  assert.match(JSON.stringify(last), new RegExp(`${steps} steps done`));
}

const NOTIFICATIONS = 5000;

async function flood(job: Job): Promise<void> {
  const sent = begin(job, "flood", "flood", { count: NOTIFICATIONS });
  let seen = 0;
  let last;
  for await (const message of events(await open(sent, "a flood"))) {
    last = message && heard(message);
    if (message?.method === "notifications/message") seen += 1;
  }
  assert.equal(seen, NOTIFICATIONS, JSON.stringify(last));
}

async function floodOfStderr(job: Job): Promise<void> {
  assert.equal(textOf(await callOf(job, "floods-stderr", "any")), "done");
}

async function batch({ door }: Job): Promise<void> {
  const all = [call("count", {}, { id: 1 }), request("ping", {}, 2), call("count", {}, { id: "three" })];
  const answer = await ask(door, "/mcp/counter", post(all, { "mcp-protocol-version": "2025-03-26" }));
  assert.deepEqual(new Set(answer.messages.map(({ id }) => id)), new Set([1, 2, "three"]), answer.text);
  assert.ok(
    answer.messages.every(({ result }) => result !== undefined),
    answer.text,
  );
}

async function modernAnswer(job: Job): Promise<void> {
  assert.match(textOf(await modernCallOf(job, "modern-only", "count")), /^\d+$/);
}

async function modernOnLegacy(job: Job): Promise<void> {
  const server = job.random.pick(["counter", "legacy-exits-on-discover"] as const);
  const tool = server === "counter" ? "count" : "echo";
  const answer = await modernCallOf(job, server, tool, {});
  assert.equal(lastOf(answer).result?.["resultType"], "complete", answer.text);
}

async function modernOnDual(job: Job): Promise<void> {
  assert.equal(textOf(await modernCallOf(job, "dual", "era")), "modern");
}

async function discovery({ door, random }: Job): Promise<void> {
  const server = random.pick(["counter", "modern-only", "dual"] as const);
  const answer = await ask(door, `/mcp/${server}`, modern("server/discover"));
  assert.ok(Array.isArray(lastOf(answer).result?.["supportedVersions"]), answer.text);
}

async function credentials({ door, index }: Job): Promise<void> {
  const value = `token-of-${index}`;
  const answer = await ask(door, `/mcp/environment?SOAK_TOKEN=${value}`, post(call("environment")));
  const { env } = JSON.parse(textOf(answer)) as { env: Readonly<Record<string, string>> };
  assert.equal(env["SOAK_TOKEN"], value);
  assert.ok(!Object.values(env).includes(door.key), "the key reached a server");
}

async function ping({ door }: Job): Promise<void> {
  const answer = await ask(door, "/mcp/silent", post(request("ping")));
  assert.deepEqual(lastOf(answer).result, {});
}

async function told({ door }: Job): Promise<void> {
  const { status, text } = await ask(door, "/mcp/silent", post(notification("notifications/initialized")));
  assert.deepEqual([status, text], [202, ""]);
}
