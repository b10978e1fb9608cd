import { deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";

import { MayflyError } from "../../../lib/errors.ts";
import { within } from "../../support/deadline.ts";
import { bodyOf, serveWire, wireTarget } from "../../support/wire.ts";

const WAIT_MS = 30_000;
const NEVER = new AbortController().signal;
const REQUESTS = 600;
const AT_ONCE = 8;

/** The same numbers in each run. */
function* numbers(): Generator<number, never, void> {
  let seed = 42;
  for (;;) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    yield seed / 2 ** 31;
  }
}

test("a server that breaks connections at every moment gets no request twice, and none that was not sent", async (t) => {
  const random = numbers();
  const chance = (part: number): boolean => random.next().value < part;
  const got = new Map<string, number>();
  const { url, server } = await serveWire(t, async (request, response) => {
    if (chance(0.05)) return request.socket.destroy();
    const id = await bodyOf(request).catch(() => undefined);
    if (id === undefined) return undefined;
    got.set(id, (got.get(id) ?? 0) + 1);
    if (chance(0.05)) return request.socket.resetAndDestroy();
    if (chance(0.1)) response.setHeader("Connection", "close");
    response.end("done");
    // Idle for a client that knows it already, or does not yet.
    return chance(0.2) ? response.once("finish", () => request.socket.end()) : undefined;
  });
  server.on("connection", (socket) => (chance(0.05) ? socket.destroy() : undefined));
  const { http } = await wireTarget(t, url);
  const outcomes = new Map<string, string>();
  const ask = async (id: string): Promise<void> => {
    const written = chance(0.5) ? (): void => undefined : undefined;
    try {
      const { body } = await http.request("POST", url, { headers: {}, body: id, signal: NEVER, written });
      for await (const chunk of body) void chunk;
      outcomes.set(id, "done");
    } catch (error) {
      outcomes.set(id, error instanceof MayflyError ? error.code : "broken");
    }
  };
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < REQUESTS) await ask(`id-${(next += 1)}`);
  };
  await within(Promise.all(Array.from({ length: AT_ONCE }, caller)), WAIT_MS, "an end for each request");
  deepEqual(
    [...got].filter(([, times]) => times > 1),
    [],
    "carried out twice",
  );
  const wrong = [...outcomes].filter(([id, outcome]) => {
    const times = got.get(id) ?? 0;
    return (outcome === "done" && times !== 1) || (outcome === "REMOTE_UNREACHABLE" && times !== 0);
  });
  deepEqual(wrong, []);
  const seen = new Set(outcomes.values());
  ok(seen.has("done") && seen.has("REMOTE_LOST"), [...seen].join());
});
