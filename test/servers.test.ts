import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";

import type { HandlerOptions, ServerConfig } from "../lib/index.ts";
import { MayflyError } from "../lib/errors.ts";
import { createServers, withEnvironment } from "../lib/servers.ts";
import type { Server, ServersChange } from "../lib/servers.ts";

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

describe("when the configuration changes", () => {
  test("a server with the same entry stays the same object, in whatever order its keys stand", () => {
    const servers = createServers({ mcpServers: { a: { command: "x", args: ["1"], env: { A: "1" } } } }, {});
    const before = servers.find("a");
    servers.replace({ mcpServers: { b: TWO.b, a: { env: { A: "1" }, args: ["1"], command: "x" } } });
    assert.equal(servers.find("a"), before);
    assert.deepEqual([servers.names, servers.chosen], [["b", "a"], undefined]);
  });

  const changes: readonly ServerConfig[] = [
    { command: "z" },
    { command: "x", args: ["1"] },
    { command: "x", env: { A: "1" } },
    { command: "x", cwd: "sub" },
    { command: "x", era: "legacy" },
    { command: "x", requestTimeoutMs: 5 },
  ];
  for (const to of changes) {
    test(`${JSON.stringify(to)} is another server than {"command":"x"}`, () => {
      const servers = createServers({ mcpServers: TWO }, {});
      const before = servers.find("a");
      servers.replace({ mcpServers: { a: to } });
      assert.notEqual(servers.find("a"), before);
      assert.equal(servers.chosen, "a");
    });
  }

  test("those who listen hear of the servers that somebody has, with what takes their place", () => {
    const servers = createServers(
      { mcpServers: { ...TWO, never: { command: "n" }, out: { command: "o" } } },
      {},
    );
    const [a, b, out] = ["a", "b", "out"].map((name) => servers.find(name));
    const heard: ServersChange[] = [];
    const off = servers.onChange((change) => heard.push(change));
    servers.replace({ mcpServers: { ...TWO, a: { command: "new" }, comes: { command: "c" } } });
    const [{ removed, changed } = { removed: [], changed: [] }] = heard;
    assert.deepEqual(removed, [out]);
    assert.equal(changed.length, 1);
    assert.equal(changed[0]?.from, a);
    assert.equal(changed[0]?.to, servers.find("a"));
    assert.equal(servers.find("b"), b);
    off();
    servers.replace({ mcpServers: TWO });
    assert.equal(heard.length, 1);
  });

  test("a new server has the options of all, and the folder of the old ones", () => {
    const servers = createServers(
      { mcpServers: TWO, baseDirectory: BASE, requestTimeoutMs: 7 },
      { PATH: "/bin" },
    );
    servers.replace({ mcpServers: { a: { command: "z", cwd: "sub" } } });
    const { parameters, requestTimeoutMs } = servers.find("a");
    assert.deepEqual(
      [parameters.cwd, parameters.env, requestTimeoutMs],
      [join(BASE, "sub"), { PATH: "/bin" }, 7],
    );
  });
});

describe("a server", () => {
  test("has the defaults", () => {
    const server = serverOf({ mcpServers: { a: { command: "x" } } });
    const { eras, tools, filter, digest, snapshot, snapshotKey, ...rest } = server;
    assert.deepEqual(rest, {
      name: "a",
      parameters: { command: "x", args: [], env: {}, cwd: BASE },
      command: "x",
      operatorSets: [],
      isPrivate: undefined,
      credentials: false,
      keepDaemons: false,
      maxProcesses: undefined,
      maxOutputBytes: 256 * 1024 ** 2,
      startTimeoutMs: 30_000,
      requestTimeoutMs: 60_000,
      probeTimeoutMs: 5000,
      caching: { ttlMs: 0, cacheScope: "private" },
      inputMode: "refuse",
      rerun: "safe",
      allowEnv: [],
      envFrom: [],
      secrets: [],
      snapshotSetting: "auto",
    });
    assert.deepEqual([snapshot?.current(), snapshotKey().environment], [undefined, []]);
    assert.deepEqual([eras.known(), tools.find("any"), filter.allows("any")], [{}, undefined, true]);
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

  test("does not have the operator's value of what only a caller brings, in whatever case", () => {
    const own = { PATH: "/bin", TOKEN: "ours", Token: "ours", TZ: "UTC", TOKENS: "other" };
    const config = { command: "x", envFrom: { TOKEN: "header:X-Token", TZ: "bearer" } };
    const { parameters, envFrom, secrets } = serverOf({ mcpServers: { a: config }, passEnv: ["*"] }, own);
    assert.deepEqual(parameters.env, { PATH: "/bin", TOKENS: "other" });
    assert.deepEqual(secrets, ["other"]);
    assert.deepEqual(envFrom, [
      { variable: "TOKEN", source: { kind: "header", name: "x-token" } },
      { variable: "TZ", source: { kind: "bearer" } },
    ]);
  });

  test("has as secrets its own variables, those passed on, and the keys, but not what all inherit", () => {
    const own = { PATH: "/bin", TOKEN: "passed-on" };
    const config = { command: "x", env: { API_KEY: "configured" } };
    const { secrets } = serverOf({ mcpServers: { a: config }, passEnv: ["*"], authKeys: ["k1", "k2"] }, own);
    assert.deepEqual(secrets, ["configured", "passed-on", "k1", "k2"]);
  });
});

describe("a server with variables of a request", () => {
  const config = { command: "x", env: { MODE: "ours", LOG: "1" }, tools: { deny: ["b"] } };
  const server = serverOf({ mcpServers: { a: config } }, { PATH: "/bin" });

  test("has them on top of its own, and is the same without any", () => {
    const other = withEnvironment(server, { MODE: "theirs", TOKEN: "t0ken-value" });
    const { parameters, secrets, filter } = other;
    assert.deepEqual([server.credentials, other.credentials], [false, true]);
    assert.deepEqual(parameters.env, { PATH: "/bin", MODE: "theirs", LOG: "1", TOKEN: "t0ken-value" });
    assert.deepEqual(secrets, ["ours", "1", "theirs", "t0ken-value"]);
    assert.equal(filter, server.filter);
    assert.deepEqual(server.parameters.env, { PATH: "/bin", MODE: "ours", LOG: "1" });
    assert.equal(withEnvironment(server, {}), server);
  });

  test("keeps them secret in the form that they have in URLs, too", () => {
    const { secrets } = withEnvironment(server, { TOKEN: "a b/c=" });
    assert.deepEqual(secrets, ["ours", "1", "a b/c=", "a%20b%2Fc%3D", "a+b%2Fc%3D"]);
  });

  test("shares what is known of its era, and nothing of its tools: those may be for this caller alone", () => {
    const other = withEnvironment(server, { TOKEN: "a" });
    other.tools.learn({ tools: [{ name: "admin" }] });
    other.eras.learn({ modern: true });
    assert.deepEqual([server.tools.find("admin"), server.eras.known()], [undefined, { modern: true }]);
    server.eras.forget();
  });

  test("is told from the same server with others, whatever their order", () => {
    const digest = (values: Record<string, string>): string => withEnvironment(server, values).digest;
    assert.equal(digest({ A: "1", B: "2" }), digest({ B: "2", A: "1" }));
    const digests = [{}, { A: "1" }, { A: "2" }, { B: "1" }, { A: "1", B: "" }].map(digest);
    assert.equal(new Set(digests).size, 5);
  });
});
