import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createHost } from "../../lib/host.ts";
import { createSessionRegistry } from "../../lib/sessions/session-registry.ts";
import { createSessionTable } from "../../lib/sessions/session-table.ts";
import type { StreamableRequest } from "../../lib/sessions/session-table.ts";

const FULL = { code: "TOO_MANY_SESSIONS", status: 503, headers: { "Retry-After": "1" } };

function openingOf(principal: string): StreamableRequest {
  const url = new URL("http://localhost/mcp");
  const request = { method: "POST", url: url.href, headers: new Headers(), body: null };
  return { request, context: {}, url, name: undefined, principal };
}

/** Nothing is started: no session gets a message. */
function openerFor(authKeys: readonly string[], maxSessions: number): (principal: string) => () => void {
  const mcpServers = { node: { command: process.execPath } };
  const host = createHost({ mcpServers, authKeys, sessions: "shared" });
  const table = createSessionTable(createSessionRegistry(host), host, maxSessions);
  return (principal) => {
    const { client } = table.open(openingOf(principal));
    return () => client.close();
  };
}

describe("where there is no place for another session", () => {
  test("one caller of several has had half of them, and another finds the rest", () => {
    const open = openerFor(["first-key", "second-key"], 4);
    const [close, other] = [open("eve"), open("eve")];
    assert.throws(() => open("eve"), { ...FULL, code: "NO_SHARE_LEFT" });
    const last = [open("ann"), open("ann")];
    assert.throws(() => open("bob"), FULL);
    close();
    const next = open("eve");
    for (const end of [...last, other, next]) end();
  });

  test("a single caller has had all", () => {
    const open = openerFor(["first-key"], 4);
    const all = Array.from({ length: 4 }, () => open("eve"));
    assert.throws(() => open("eve"), FULL);
    for (const close of all) close();
  });
});
