import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";

import { within } from "../../test/support/deadline.ts";
import type { Message } from "../../test/support/live-stream.ts";
import { call, initialize, notification, post } from "../../test/support/rpc.ts";
import type { RequestBody } from "../../test/support/rpc.ts";
import { ask, open, send } from "./client.ts";
import type { Answer, Door, Sent } from "./client.ts";
import { heard, lastOf, textOf } from "./job.ts";
import type { Job, Kind } from "./job.ts";

/** Clients who come for more than one request. */
export const SESSIONS: Readonly<Record<string, Kind>> = {
  "HTTP+SSE over a shared process, dropped": {
    weight: 4,
    run: (job) => visitSse(job.door, "/sse/remembers"),
  },
  "HTTP+SSE with a process of its own, dropped": {
    weight: 3,
    run: (job) => visitSse(job.sessionDoor, "/sse"),
  },
  "HTTP+SSE, left before a word": { weight: 2, run: leaveSse },
  "a session, ended": { weight: 4, run: (job) => keepSession(job, true) },
  "a session, abandoned": { weight: 3, run: (job) => keepSession(job, false) },
  "a session that has ended": { weight: 2, run: callEnded },
  "a deep look at the health": { weight: 1, run: deepHealth },
};

const WAIT_MS = 120_000;

async function visitSse(door: Door, path: string): Promise<void> {
  const stream = await openSse(door, path);
  try {
    await stream.ask(initialize({ id: "i" }));
    await stream.post(notification("notifications/initialized"));
    const { result } = await stream.ask(call("pid", {}, { id: "c" }));
    assert.ok(result, "no result on the stream");
  } finally {
    stream.sent.leave();
  }
}

async function leaveSse({ door }: Job): Promise<void> {
  (await openSse(door, "/sse/counter")).sent.leave();
}

interface SseStream {
  readonly sent: Sent;
  post(body: object): Promise<void>;
  /** Posts a request, and reads on until its answer. */
  ask(body: RequestBody): Promise<Message>;
}

async function openSse(door: Door, path: string): Promise<SseStream> {
  const sent = send(door, path, { method: "GET", headers: { accept: "text/event-stream" } });
  const frames = framesOf(await open(sent, "an event stream"));
  const next = async (): Promise<Frame> => {
    const { value } = await within(frames.next(), WAIT_MS, "an event");
    return value ?? assert.fail("the event stream has ended");
  };
  const first = await next();
  assert.equal(first.event, "endpoint");
  const endpoint = new URL(first.data ?? "", `${door.url}${path}`);
  const postTo = async (body: object): Promise<void> => {
    const { status, text } = await ask(door, endpoint.pathname + endpoint.search, post(body));
    assert.equal(status, 202, text);
  };
  return {
    sent,
    post: postTo,
    ask: async (body) => {
      await postTo(body);
      for (;;) {
        const { data } = await next();
        const message = data === undefined ? {} : (JSON.parse(data) as Message);
        if (message.id === body.id) return heard(message);
      }
    },
  };
}

interface Frame {
  readonly event: string | undefined;
  readonly data: string | undefined;
}

async function* framesOf(incoming: IncomingMessage): AsyncGenerator<Frame, void, void> {
  let rest = "";
  incoming.setEncoding("utf8");
  try {
    for await (const chunk of incoming) {
      const frames = (rest + String(chunk)).split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames)
        yield { event: /^event: (.*)$/m.exec(frame)?.[1], data: /^data: (.*)$/m.exec(frame)?.[1] };
    }
  } finally {
    incoming.destroy();
  }
}

async function keepSession({ sessionDoor, random }: Job, isEnded: boolean): Promise<void> {
  const opened = await ask(sessionDoor, "/mcp", post(initialize()));
  assert.ok(lastOf(opened).result, opened.text);
  const session = { "mcp-session-id": String(opened.headers["mcp-session-id"]) };
  await expectStatus(sessionDoor, post(notification("notifications/initialized"), session), 202);
  const calls = 1 + random.below(4);
  for (let count = 1; count <= calls; count += 1) {
    const answer = await ask(sessionDoor, "/mcp", post(call("count", {}, { id: count }), session));
    // An idle session gives way to a client that needs a place.
    if (answer.status === 404) return;
    assert.equal(textOf(answer), String(count));
  }
  if (isEnded) await expectStatus(sessionDoor, { method: "DELETE", headers: session }, 204);
}

/** The status, or that of a session which has given way. */
async function expectStatus(door: Door, outgoing: Parameters<typeof ask>[2], status: number): Promise<void> {
  const answer: Answer = await ask(door, "/mcp", outgoing);
  assert.ok([status, 404].includes(answer.status), `${answer.status}: ${answer.text}`);
}

async function callEnded({ sessionDoor }: Job): Promise<void> {
  const opened = await ask(sessionDoor, "/mcp", post(initialize()));
  assert.ok(lastOf(opened).result, opened.text);
  const session = { "mcp-session-id": String(opened.headers["mcp-session-id"]) };
  await expectStatus(sessionDoor, { method: "DELETE", headers: session }, 204);
  await expectStatus(sessionDoor, post(call("count"), session), 404);
}

async function deepHealth({ sessionDoor }: Job): Promise<void> {
  const { status, text } = await ask(sessionDoor, "/health?deep=1", { method: "GET" });
  const { servers } = JSON.parse(text) as { servers: Readonly<Record<string, { readonly reason?: string }>> };
  const reasons = Object.values(servers).flatMap(({ reason }) => reason ?? []);
  assert.equal(status, reasons.length === 0 ? 200 : 503);
  assert.ok(
    reasons.every((reason) => reason === "overloaded"),
    text,
  );
}
