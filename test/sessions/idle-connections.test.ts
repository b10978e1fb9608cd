import assert from "node:assert/strict";
import { get } from "node:http";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";

import { until, within } from "../support/deadline.ts";
import { descriptorsOf } from "../support/processes.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import { connectSse } from "../support/sse-client.ts";

const WAIT_MS = 20_000;
const CONNECTIONS = 200;
const NO_PROC = descriptorsOf(process.pid) === undefined && "there is no /proc";

interface Idle {
  comments(): number;
  close(): void;
}

/** Not by fetch: that opens another connection in place of one that was cut off, and keeps it. */
async function openIdle(url: string): Promise<Idle> {
  let text = "";
  const stream = await within(
    new Promise<IncomingMessage>((resolve, reject) => get(`${url}/sse`, resolve).once("error", reject)),
    WAIT_MS,
    "the head of a stream",
  );
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  // It is we who cut it off.
  stream.on("error", () => undefined);
  return { comments: () => text.match(/^:/gm)?.length ?? 0, close: () => stream.destroy() };
}

// `npm run bench:sessions` measures more of them, and their memory.
test(
  `${CONNECTIONS} idle connections live on heartbeats, and leave no descriptor`,
  { skip: NO_PROC },
  async (t) => {
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on("warning", warned);
    t.after(() => process.off("warning", warned));
    const { url, pids } = await serveSessions(t, "remembers", { sharedSession: true, heartbeatMs: 200 });
    const used = await connectSse(t, url);
    assert.equal(textOf(await used.call("count")), "1");
    const descriptors = (): number => descriptorsOf(process.pid) ?? 0;
    const before = descriptors();

    const all: Idle[] = [];
    while (all.length < CONNECTIONS) all.push(await openIdle(url));
    // Both ends are in this process. Connections that the POST has left open may be closed meanwhile.
    assert.ok(descriptors() >= before + 2 * CONNECTIONS - 4, `${descriptors()} after ${before}`);
    const isAlive = (): boolean => all.every((client) => client.comments() >= 2);
    await until(isAlive, { withinMs: WAIT_MS, label: "two heartbeats on each connection" });
    for (const client of all) client.close();
    await until(() => descriptors() <= before, {
      withinMs: WAIT_MS,
      label: () => `${descriptors()} descriptors are ${before} again`,
    });
    assert.equal(textOf(await used.call("count")), "2");
    assert.equal(pids().length, 1);
    assert.deepEqual(warnings.map(String), []);
  },
);
