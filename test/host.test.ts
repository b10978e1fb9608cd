import assert from "node:assert/strict";
import { test } from "node:test";

import { createHandler } from "../lib/index.ts";
import { within } from "./support/deadline.ts";
import { fixture } from "./support/fixture.ts";
import { waitUntilGone } from "./support/processes.ts";
import { call, post } from "./support/rpc.ts";

test("many requests at once are not taken for a leak of listeners", async (t) => {
  const warnings: string[] = [];
  const note = ({ message }: Error): void => void warnings.push(message);
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  const { command, args, token } = fixture("progress");
  const mcpServers = { progress: { command, args } };
  const handler = createHandler({ mcpServers, allowAnonymous: true, maxProcesses: 12 });
  const ask = async (): Promise<number> => {
    const init = post(call("progress", { steps: 1, delayMs: 300 }));
    const response = await handler.fetch(new Request("http://localhost/mcp", init));
    await response.text();
    return response.status;
  };
  const statuses = await within(Promise.all(Array.from({ length: 12 }, ask)), 30_000, "all answers");
  assert.deepEqual(new Set(statuses), new Set([200]));
  await handler.close();
  assert.deepEqual(warnings, []);
  await waitUntilGone(token);
});
