import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";

import type { HandlerOptions } from "../lib/index.ts";
import { MayflyError } from "../lib/errors.ts";
import { createServers } from "../lib/servers.ts";
import type { Server } from "../lib/servers.ts";

const TWO = { a: { command: "x" }, b: { command: "y" } };
const BASE = resolve("/", "base");

function serverOf(options: HandlerOptions, own = {}): Server {
  return createServers({ baseDirectory: BASE, ...options }, own).find(undefined);
}

function isError(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof MayflyError && error.code === code && message.test(error.message);
}

describe("servers are found", () => {
  test("by name", () => {
    const servers = createServers({ mcpServers: TWO }, {});
    assert.deepEqual(servers.names, ["a", "b"]);
    assert.equal(servers.find("b").parameters.command, "y");
  });

  test("without a name: the default, or the only one", () => {
    assert.equal(createServers({ mcpServers: TWO, default: "b" }, {}).find(undefined).name, "b");
    assert.equal(createServers({ mcpServers: { a: TWO.a } }, {}).find(undefined).name, "a");
  });

  test("but not without a name where several are and none is the default", () => {
    const servers = createServers({ mcpServers: TWO }, {});
    assert.throws(() => servers.find(undefined), isError("SERVER_NOT_CHOSEN", /use \/mcp\/NAME/));
  });

  for (const name of ["c", "", "A", "constructor", "__proto__"]) {
    test(`but not under a name that is not there: ${JSON.stringify(name)}`, () => {
      const servers = createServers({ mcpServers: TWO, default: "a" }, {});
      assert.throws(() => servers.find(name), isError("SERVER_NOT_FOUND", new RegExp(`"${name}"`)));
    });
  }

  test("as the same one each time: files are looked up once", () => {
    const servers = createServers({ mcpServers: TWO }, {});
    assert.equal(servers.find("a"), servers.find("a"));
  });
});

describe("a server", () => {
  test("has the defaults", () => {
    const { eras, tools, digest, ...rest } = serverOf({ mcpServers: { a: { command: "x" } } });
    assert.deepEqual(rest, {
      name: "a",
      parameters: { command: "x", args: [], env: {}, cwd: BASE },
      startTimeoutMs: 30_000,
      requestTimeoutMs: 60_000,
      probeTimeoutMs: 5000,
      caching: { ttlMs: 0, cacheScope: "private" },
      inputMode: "refuse",
      rerun: "safe",
      secrets: [],
    });
    assert.deepEqual([eras.known(), tools.find("any")], [{}, undefined]);
    assert.match(digest, /^[\w-]{43}$/);
  });

  test("has its own settings rather than those of all", () => {
    const config = { command: "x", args: ["1"], cwd: "sub", startTimeoutMs: 1, requestTimeoutMs: 2 };
    const server = serverOf({ mcpServers: { a: config }, startTimeoutMs: 3, requestTimeoutMs: 4 });
    assert.deepEqual([server.startTimeoutMs, server.requestTimeoutMs], [1, 2]);
    assert.deepEqual([server.parameters.args, server.parameters.cwd], [["1"], join(BASE, "sub")]);
    const other = serverOf({ mcpServers: { a: { command: "x" } }, startTimeoutMs: 3, requestTimeoutMs: 4 });
    assert.deepEqual([other.startTimeoutMs, other.requestTimeoutMs], [3, 4]);
  });

  test("keeps an absolute working directory, and starts from ours without a base", () => {
    const { parameters } = serverOf({ mcpServers: { a: { command: "x", cwd: BASE } } });
    assert.equal(parameters.cwd, BASE);
    assert.equal(
      createServers({ mcpServers: { a: { command: "x" } } }, {}).find("a").parameters.cwd,
      process.cwd(),
    );
  });

  test("has the inherited variables, then those that are passed on, then its own", () => {
    const own = { PATH: "/bin", HOME: "/home", TOKEN: "ours", AUTH_KEY: "key", OTHER: "no" };
    const config = { command: "x", env: { HOME: "/its", TOKEN: "its", MORE: "1" } };
    const { parameters } = serverOf({ mcpServers: { a: config }, passEnv: ["TOKEN"] }, own);
    assert.deepEqual(parameters.env, { PATH: "/bin", HOME: "/its", TOKEN: "its", MORE: "1" });
  });

  test("has as secrets its own variables, those passed on, and the keys, but not what all inherit", () => {
    const own = { PATH: "/bin", TOKEN: "passed-on" };
    const config = { command: "x", env: { API_KEY: "configured" } };
    const { secrets } = serverOf({ mcpServers: { a: config }, passEnv: ["*"], authKeys: ["k1", "k2"] }, own);
    assert.deepEqual(secrets, ["configured", "passed-on", "k1", "k2"]);
  });
});
