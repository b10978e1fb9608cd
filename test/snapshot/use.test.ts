import assert from "node:assert/strict";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { missingPrograms } from "../../lib/cli/missing-programs.ts";
import type { HandlerOptions, ServerConfig } from "../../lib/index.ts";
import { parseMcpJson } from "../../lib/index.ts";
import { FIXTURES } from "../contract.ts";
import { temporaryFolder, waitForLine } from "../support/files.ts";
import { modern, modernCall } from "../support/modern.ts";
import { call, initialize, post, request } from "../support/rpc.ts";
import { build, counted, program, seen } from "./recorded.ts";
import type { Built, Configured } from "./recorded.ts";

const LIST = post(request("tools/list"));
const LISTS_TOOLS = program(join(FIXTURES, "lists-tools.mjs"));
const DUAL = program(join(FIXTURES, "dual.mjs"));

/** What is logged at warn. */
interface Warning {
  readonly fields: object;
  readonly message: string;
}

function warningsOf(): { readonly logger: HandlerOptions["logger"] & {}; readonly warnings: Warning[] } {
  const warnings: Warning[] = [];
  const nothing = (): void => undefined;
  const warn = (fields: object, message: string): void => void warnings.push({ fields, message });
  return { warnings, logger: { debug: nothing, info: nothing, warn, error: nothing } };
}

/** How many processes a list takes with other options, and what is logged about that. */
async function listing(
  t: TestContext,
  built: Built,
  more: Partial<HandlerOptions> = {},
  init: RequestInit = LIST,
): Promise<{ readonly processes: number; readonly warnings: readonly Warning[] }> {
  const { logger, warnings } = warningsOf();
  const { post: send, started } = counted(t, built, { ...more, logger });
  const response = await send(init);
  assert.equal(response.status, 200, await response.text());
  return { processes: started(), warnings };
}

const differing = (...differs: string[]): Warning => ({
  fields: { server: "only", differs },
  message: "The snapshot is of another server: it is not used",
});

describe("a snapshot is used only for the server that it was made of:", () => {
  const changes: Readonly<Record<string, [Partial<ServerConfig>, ...string[]]>> = {
    "another argument": [{ args: [join(FIXTURES, "lists-tools.mjs"), "--other"] }, "configuration"],
    "another value in env": [{ env: { MODE: "b" } }, "configuration"],
    "one more variable": [{ env: { MODE: "a", MORE: "" } }, "configuration", "environment"],
    "another folder": [{ cwd: FIXTURES }, "configuration"],
    "another era": [{ era: "legacy" }, "configuration"],
    limits: [{ limits: { openFiles: 500 } }, "configuration"],
  };
  test("an entry that says something else", async (t) => {
    const built = await build(t, (token) => ({ ...LISTS_TOOLS(token), env: { MODE: "a" } }));
    const { only } = built.options.mcpServers;
    for (const [title, [change, ...differs]] of Object.entries(changes)) {
      const mcpServers = { only: { ...(only as ServerConfig), ...change } };
      const expected = { processes: 1, warnings: [differing(...differs)] };
      assert.deepEqual(await listing(t, built, { mcpServers }), expected, title);
    }
  });

  test("which is told where requests are answered, and not where programs are looked for", async (t) => {
    const built = await build(t, (token) => ({ ...LISTS_TOOLS(token), env: { MODE: "a" } }));
    const only = { ...(built.options.mcpServers["only"] as ServerConfig), env: { MODE: "b" } };
    const { logger, warnings } = warningsOf();
    assert.deepEqual(missingPrograms({ ...built.options, mcpServers: { only }, logger }), []);
    assert.deepEqual(warnings, []);
  });

  test("settings that change nothing about it are no change", async (t) => {
    const built = await build(t, LISTS_TOOLS);
    const only: ServerConfig = {
      ...(built.options.mcpServers["only"] as ServerConfig),
      requestTimeoutMs: 9000,
    };
    const tools = { allow: ["get_*"] };
    const mcpServers = { only: { ...only, env: {}, cwd: ".", tools, maxProcesses: 1, cacheTtlMs: 5 } };
    assert.deepEqual(await listing(t, built, { mcpServers }), { processes: 0, warnings: [] });
  });

  test("a variable that passEnv hands on, by its name alone", async (t) => {
    process.env["SNAPSHOT_TEST_VARIABLE"] = "one";
    t.after(() => delete process.env["SNAPSHOT_TEST_VARIABLE"]);
    const passEnv = ["SNAPSHOT_TEST_*"];
    const built = await build(t, LISTS_TOOLS, { passEnv });
    process.env["SNAPSHOT_TEST_VARIABLE"] = "another value";
    assert.deepEqual(await listing(t, built), { processes: 0, warnings: [] });
    delete process.env["SNAPSHOT_TEST_VARIABLE"];
    assert.deepEqual(await listing(t, built), { processes: 1, warnings: [differing("environment")] });
  });

  test("an edited program", async (t) => {
    const folder = await temporaryFolder(t);
    await cp(FIXTURES, folder, { recursive: true });
    const built = await build(t, program(join(folder, "lists-tools.mjs")));
    assert.deepEqual(await listing(t, built), { processes: 0, warnings: [] });
    const file = join(folder, "lists-tools.mjs");
    await writeFile(file, `${await readFile(file, "utf8")}\n// edited`);
    assert.deepEqual(await listing(t, built), { processes: 1, warnings: [differing("files")] });
  });

  test("another version, or other dependencies, of a package", async (t) => {
    const folder = await temporaryFolder(t);
    const install = async (version: string, lock: string): Promise<void> => {
      const home = join(folder, "servers", "only", "node_modules", "lists");
      await mkdir(home, { recursive: true });
      await cp(FIXTURES, home, { recursive: true });
      await writeFile(
        join(home, "package.json"),
        JSON.stringify({ version, type: "module", bin: "lists-tools.mjs" }),
      );
      await writeFile(join(folder, "servers", "only", "package-lock.json"), lock);
    };
    await install("1.0.0", "one");
    const npx: Configured = (token) => ({ command: "npx", args: ["-y", "lists", `--token=${token}`] });
    const built = await build(t, npx, { baseDirectory: folder });
    assert.deepEqual(await listing(t, built), { processes: 0, warnings: [] });
    await install("1.0.0", "two");
    assert.deepEqual((await listing(t, built)).warnings, [differing("package")]);
    await install("1.0.1", "one");
    assert.deepEqual((await listing(t, built)).warnings, [differing("package")]);
  });

  test("a file that somebody has written anew", async (t) => {
    const built = await build(t, LISTS_TOOLS);
    for (const content of ["", "{}", (await readFile(built.file, "utf8")).slice(0, -100)]) {
      await writeFile(built.file, content);
      const { processes, warnings } = await listing(t, built);
      assert.equal(processes, 1);
      assert.deepEqual(
        warnings.map(({ message }) => message),
        ["The snapshot cannot be read: it is not used"],
      );
    }
  });
});

test("values that come from the environment are not in the key, so that a build needs no secret", async (t) => {
  const secret = "s3cret-of-the-environment";
  const text = (token: string): string =>
    JSON.stringify({ mcpServers: { only: { ...LISTS_TOOLS(token), env: { KEY: "${SECRET:-}" } } } });
  const configFor =
    (variables: Record<string, string>): Configured =>
    (token) =>
      parseMcpJson(text(token), "mcp.json", variables).mcpServers["only"] as ServerConfig;
  const built = await build(t, configFor({}));
  const mcpServers = { only: configFor({ SECRET: secret })(built.token) };
  assert.deepEqual(await listing(t, built, { mcpServers }), { processes: 0, warnings: [] });
  const withSecret = await build(t, configFor({ SECRET: secret }));
  assert.doesNotMatch(await readFile(withSecret.file, "utf8"), new RegExp(secret));
});

describe("a process answers", () => {
  const rows: Readonly<Record<string, RequestInit>> = {
    "a call": post(call("get_a")),
    "a cursor that nobody knows": post(request("tools/list", { cursor: "x" })),
    "a cursor that is no text": post(request("tools/list", { cursor: 2 })),
    "a member that means something to the server": post(request("tools/list", { filter: "a" })),
    "capabilities that the server is told of": post(
      initialize({ capabilities: { extensions: { "com.example/ui": { version: 1 } } } }),
    ),
    "the same of a modern client": modern("tools/list", {}, { capabilities: { experimental: { a: {} } } }),
    "a modern client's capability of a kind that nobody knows": modern(
      "tools/list",
      {},
      { capabilities: { odd: { a: 1 } } },
    ),
    "a batch with a call": post([request("tools/list"), call("get_a", {}, { id: 2 })]),
    "a method of the other era": post(request("server/discover")),
    "resources/read": post(request("resources/read", { uri: "x:y" })),
  };
  test("what is no question about the server alone", async (t) => {
    const { post: send, started } = counted(t, await build(t, DUAL));
    for (const [title, init] of Object.entries(rows)) {
      await (await send(init)).text();
      assert.equal(started(), 1, title);
    }
  });

  test("where snapshots are switched off, for all or for one", async (t) => {
    const built = await build(t, LISTS_TOOLS);
    const never = {
      only: { ...(built.options.mcpServers["only"] as ServerConfig), snapshot: "never" as const },
    };
    assert.equal((await listing(t, built, { snapshot: false })).processes, 1);
    assert.equal((await listing(t, built, { mcpServers: never })).processes, 1);
    assert.equal((await listing(t, built, { snapshot: "elsewhere" })).processes, 1);
    assert.equal((await listing(t, built, { snapshot: "servers" })).processes, 0);
  });

  test("a deep health check", async (t) => {
    const built = await build(t, LISTS_TOOLS);
    const { handler } = counted(t, built);
    let processes = 0;
    const check = new Request("http://localhost/health?deep=1");
    const { status } = await handler.fetch(check, { waitUntil: () => (processes += 1) });
    assert.deepEqual([status, processes], [200, 1]);
  });
});

test("capabilities that the server is not told of anyway change nothing", async (t) => {
  const { post: send, started } = counted(t, await build(t, DUAL));
  const capabilities = {
    roots: { listChanged: true },
    sampling: {},
    elicitation: { form: {} },
    extensions: {},
  };
  const connect = await send(post(initialize({ capabilities })));
  const session = connect.headers.get("mcp-session-id") ?? "";
  const list = post(request("tools/list"), {
    "mcp-session-id": session,
    "mcp-protocol-version": "2025-11-25",
  });
  for (const init of [list, modern("tools/list", {}, { capabilities })])
    assert.equal((await send(init)).status, 200);
  assert.equal(started(), 0);
});

test("pages are turned by their cursors", async (t) => {
  const built = await build(t, LISTS_TOOLS);
  const [recorded, plain] = [counted(t, built), counted(t, built, { snapshot: false })];
  for (const cursor of ["2", "3"]) {
    for (const init of [post(request("tools/list", { cursor })), modern("tools/list", { cursor })]) {
      assert.equal(await seen(await recorded.post(init)), await seen(await plain.post(init)));
    }
  }
  assert.equal(recorded.started(), 0);
});

describe("variables of a request", () => {
  const envFrom = { CALLER_TOKEN: "header:x-token" };
  const bring = (init: RequestInit): RequestInit => ({
    ...init,
    headers: { ...(init.headers as Record<string, string>), "x-token": "t0ken" },
  });
  const configured =
    (more: Partial<ServerConfig>): Configured =>
    (token) => ({ ...DUAL(token), ...more });

  test("lead to a process, unless the operator says that they change nothing", async (t) => {
    const auto = await build(t, configured({ envFrom }));
    assert.equal((await listing(t, auto, {}, bring(LIST))).processes, 1);
    assert.equal((await listing(t, auto)).processes, 0);
    const always = await build(t, configured({ envFrom, snapshot: "always" }));
    assert.equal((await listing(t, always, {}, bring(LIST))).processes, 0);
    assert.equal((await listing(t, always, {}, bring(modern("server/discover")))).processes, 0);
  });

  for (const era of ["legacy", "modern"] as const) {
    test(`make answers private where there may be some, of a ${era} server too that says otherwise`, async (t) => {
      const open = await build(t, configured({ era, cacheScope: "public", cacheTtlMs: 5 }));
      const closed = await build(
        t,
        configured({ era, cacheScope: "public", cacheTtlMs: 5, allowEnv: ["X"] }),
      );
      const scopeOf = async (built: Built, method: string): Promise<unknown> => {
        const { result } = (await (await counted(t, built).post(modern(method))).json()) as {
          result: { cacheScope: string };
        };
        return result.cacheScope;
      };
      for (const method of ["server/discover", "tools/list"]) {
        assert.equal(await scopeOf(closed, method), "private");
        // The fixture calls its own modern answers private.
        assert.equal(await scopeOf(open, method), era === "legacy" ? "public" : "private");
      }
    });
  }
});

test("a server that calls its answers public is not repeated so to callers with variables of their own", async (t) => {
  const built = await build(t, (token) => ({ ...DUAL(token), allowEnv: ["X"] }));
  const text = await readFile(built.file, "utf8");
  await writeFile(
    built.file,
    text.replaceAll('\\"cacheScope\\":\\"private\\"', '\\"cacheScope\\":\\"public\\"'),
  );
  const answer = await (await counted(t, built).post(modern("tools/list"))).text();
  assert.match(answer, /"cacheScope":"private"/);
  assert.match(await readFile(built.file, "utf8"), /public/);
});

test("headers that repeat arguments are checked without a list", async (t) => {
  const built = await build(t, program(join(FIXTURES, "legacy-asks.mjs")));
  const { post: send, started } = counted(t, built);
  const wrong = modernCall("pids", { region: "eu" }, { headers: { "mcp-param-region": "us" } });
  assert.equal((await send(wrong)).status, 400);
  assert.equal(started(), 0);
  const right = modernCall("pids", { region: "eu" }, { headers: { "mcp-param-region": "eu" } });
  assert.equal((await send(right)).status, 200);
  assert.equal(started(), 1);
});

test("the era is known, so that the first call needs no probe", async (t) => {
  const received: string[] = [];
  const built = await build(t, LISTS_TOOLS);
  const onMessage: HandlerOptions["onMessage"] = (_server, direction, text) =>
    void (direction === "in" && received.push((JSON.parse(text) as { method: string }).method));
  const { post: send } = counted(t, built, { onMessage });
  await (await send(modern("tools/list"))).text();
  assert.deepEqual(received, [], "nothing has gone to a server");
  await (await send(modernCall("get_a"))).text();
  assert.deepEqual(received, ["initialize", "notifications/initialized", "tools/call"]);
});

test("a snapshot needs no place of a process, and answers when all are taken", async (t) => {
  const file = join(await temporaryFolder(t), "log");
  const built = await build(t, program(join(FIXTURES, "slow.mjs")));
  const { post: send, started } = counted(t, built, { maxProcesses: 1, maxQueued: 0 });
  const leaving = new AbortController();
  const held = send({ ...post(call("wait", { file })), signal: leaving.signal });
  await waitForLine(file, /^called/);
  const refused = await send(post(call("wait", { file })));
  assert.equal(refused.status, 503, await refused.text());
  assert.equal((await send(LIST)).status, 200);
  assert.equal(started(), 1);
  leaving.abort();
  await (await held).text();
});

test("an unchanged server keeps its snapshot when another one changes", async (t) => {
  const built = await build(t, LISTS_TOOLS);
  const { handler, post: send, started } = counted(t, built);
  await (await send(LIST)).text();
  await writeFile(built.file, "what would not be read");
  handler.reconfigure({ mcpServers: { ...built.options.mcpServers, more: { command: "x" } } });
  assert.equal((await send(LIST, "/mcp/only")).status, 200);
  assert.equal(started(), 0);
});
