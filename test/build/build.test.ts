import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

import { findConfig } from "../../lib/configuration/find.ts";
import { createHandler } from "../../lib/index.ts";
import { silentLogger } from "../../lib/logger.ts";
import { resolveCommand } from "../../lib/resolve.ts";
import { fixture } from "../support/fixture.ts";
import { temporaryFolder } from "../support/files.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";
import { build, digestsBelow, filesBelow, project } from "./project.ts";
import type { Built } from "./project.ts";

const MEMORY = "@modelcontextprotocol/server-memory";
const CANARY = "canary-8f3b1c-value";

interface Report {
  readonly servers: readonly { readonly server: string; readonly [member: string]: unknown }[];
  readonly removed: readonly string[];
}

describe("a build", { concurrency: false }, () => {
  const lists = fixture("lists-tools");
  const tells = fixture("crashes-at-start");
  const SERVERS = {
    memory: { command: "npx", args: ["-y", MEMORY], env: { MEMORY_FILE_PATH: "${MEMORY_FILE}" } },
    own: { command: lists.command, args: lists.args, env: { TOKEN: "${CANARY_TOKEN}" } },
    broken: { command: tells.command, args: tells.args },
    off: { command: "node", args: ["x.mjs"], env: { TOKEN: "literal-canary" }, disabled: true },
  };
  const env = {
    MEMORY_FILE: join(tmpdir(), "mayfly-build-memory.jsonl"),
    CANARY_TOKEN: CANARY,
    AUTH_KEY: CANARY,
    AWS_SECRET_ACCESS_KEY: CANARY,
    ANYTHING: CANARY,
  };
  let root: string;
  let folder: string;
  let built: Built;
  /** Another build of the same, for Lambda. */
  let two: string;
  let other: Built;
  before(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), "mayfly-build-")));
    folder = await project(join(root, "one"), SERVERS);
    built = await build(folder, [], env);
  });
  after(async () => {
    // Programs that were installed there have the folder in their arguments.
    for (const token of [lists.token, tells.token, root]) await waitUntilGone(token);
    await rm(root, { recursive: true, force: true });
  });

  test("tells of each server what became of it, and fails for none that is installed", () => {
    assert.equal(built.code, 0, built.stderr);
    const [head, ...rows] = built.stdout.trimEnd().split("\n");
    assert.match(head ?? "", /^server +version +start +size +snapshot +verdict$/);
    assert.match(rows[0] ?? "", /^memory +\d+\.\d+\.\d+ +\d+ → \d+ ms +[\d.]+ MiB +yes +bundled$/);
    assert.match(rows[1] ?? "", /^own +- +\d+ ms +[\d.]+ KiB +yes +runs as it is$/);
    assert.match(
      rows[2] ?? "",
      /^broken +- +- +\d+ KiB +no +runs as it is; no snapshot: it does not start here: /,
    );
    assert.equal(rows.length, 3);
    // oxlint-disable-next-line no-control-regex -- colours are what must not be there
    assert.doesNotMatch(built.stdout, /\u001B/);
  });

  test("puts nothing of its environment, and no secret of the configuration, into a file", async () => {
    for (const place of ["servers", "public"]) {
      for (const file of await filesBelow(join(folder, place))) {
        const text = await readFile(join(folder, place, file), "latin1");
        assert.ok(!text.includes(CANARY) && !text.includes("literal-canary"), file);
      }
    }
    assert.deepEqual(await filesBelow(join(folder, "public")), ["index.html"]);
    assert.ok(!(built.stdout + built.stderr).includes(CANARY));
  });

  test("is what a handler runs: calls by the bundle, and lists by the snapshot", async () => {
    const found = findConfig({ ...env, MCP_CONFIG: join(folder, "mcp.json") });
    const lines: object[] = [];
    const logger = {
      ...silentLogger,
      info: (fields: object) => lines.push(fields),
      warn: (fields: object) => lines.push(fields),
    };
    const handler = createHandler({ mcpServers: {}, ...found, allowAnonymous: true, logger });
    try {
      for (const body of [call("read_graph"), { jsonrpc: "2.0", id: 1, method: "tools/list" }]) {
        const answer = await handler.fetch(new Request("http://localhost/mcp/memory", post(body)));
        assert.match(await answer.text(), /entities/);
      }
    } finally {
      await handler.close();
    }
    const fromRecord = lines.map((fields) => "snapshot" in fields);
    assert.deepEqual(fromRecord, [false, true], JSON.stringify(lines));
    const { command, args } = resolveCommand(
      { command: "npx", args: ["-y", MEMORY] },
      join(folder, "servers", "memory"),
    );
    assert.deepEqual(
      [command, ...args],
      [process.execPath, join(folder, "servers", "memory", "bundle", "start.cjs")],
    );
  });

  test("elsewhere has the same files, to the last byte", async () => {
    two = await project(join(root, "two"), SERVERS);
    other = await build(two, ["--target", "lambda"], env);
    assert.equal(other.code, 0, other.stderr);
    assert.deepEqual(await digestsBelow(join(two, "servers")), await digestsBelow(join(folder, "servers")));
  });

  test("with the same question keeps the lock file; another one, and a server less, is done anew", async () => {
    const lock = join(folder, "servers", "memory", "package-lock.json");
    const before = await readFile(lock, "utf8");
    await mkdir(join(folder, "servers", "mine"));
    await writeFile(join(folder, "servers", "mine", "keep.txt"), "");
    const [, version = ""] =
      /"node_modules\/@modelcontextprotocol\/server-memory": \{\s*"version": "([^"]+)"/.exec(before) ?? [];
    await project(folder, { memory: { ...SERVERS.memory, args: ["-y", `${MEMORY}@${version}`] } });
    const { code, stdout } = await build(folder, ["--json", "--no-bundle", "--no-snapshot"], env);
    assert.equal(code, 0);
    const { servers, removed } = JSON.parse(stdout) as Report;
    assert.deepEqual(removed.toSorted(), ["broken", "own"]);
    assert.ok(existsSync(join(folder, "servers", "mine", "keep.txt")), "what somebody else put there stays");
    const [{ bundled, snapshot, notes } = { bundled: undefined, snapshot: undefined, notes: undefined }] =
      servers;
    assert.deepEqual(
      [bundled, snapshot, notes],
      [false, false, ["not bundled: --no-bundle", "no snapshot: --no-snapshot"]],
    );
    const manifest = JSON.parse(
      await readFile(join(folder, "servers", "memory", "package.json"), "utf8"),
    ) as object;
    assert.deepEqual(manifest, {
      private: true,
      dependencies: { [MEMORY]: version },
      mayfly: { [MEMORY]: version },
    });
    assert.deepEqual(
      (await filesBelow(join(folder, "servers", "memory"))).filter(
        (file) => !file.startsWith("node_modules"),
      ),
      ["package-lock.json", "package.json"],
    );
  });

  test("for Lambda is a folder that answers a tool call of AgentCore Gateway, without npm and without a home", async () => {
    assert.match(other.stderr, /lambda: \d+ MiB of the 250 MiB/);
    const moved = join(root, "task");
    await promisify(execFile)("cp", ["-r", join(two, "lambda"), moved]);
    await rm(two, { recursive: true });
    assert.deepEqual(
      (await filesBelow(moved)).filter((file) => !file.startsWith("servers/")),
      [
        ".mayfly-build",
        "THIRD-PARTY-LICENSES.txt",
        "index.mjs",
        "mayfly.mjs",
        "mcp.json",
        "tools/memory.json",
        "tools/own.json",
      ],
    );
    const script = `import { buffered, handler } from "./index.mjs";
      const clientContext = { custom: { bedrockAgentCoreToolName: "memory___read_graph" } };
      const result = await buffered({}, { clientContext, awsRequestId: "1", getRemainingTimeInMillis: () => 20000 });
      console.log(typeof handler, JSON.stringify(result));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      cwd: moved,
      env: { MEMORY_FILE: env.MEMORY_FILE, CANARY_TOKEN: "", ALLOW_ANONYMOUS: "true" },
    });
    assert.match(stdout, /^function .*entities/m);
    const tools = JSON.parse(await readFile(join(moved, "tools", "memory.json"), "utf8")) as object[];
    assert.deepEqual(
      [...new Set(tools.flatMap((tool) => Object.keys(tool)))],
      ["name", "description", "inputSchema"],
    );
  });
});

/** A project with a server that needs no package, and a folder of its user's for it. */
async function projectOfOwn(t: TestContext): Promise<{ token: string; folder: string; place: string }> {
  const { command, args, token } = fixture("counter");
  const folder = await project(await temporaryFolder(t), { own: { command, args } });
  const place = join(folder, "servers", "own");
  await mkdir(place, { recursive: true });
  return { token, folder, place };
}

test("files of somebody else stay as they are in the folder of a server without a package", async (t) => {
  const { token, folder, place } = await projectOfOwn(t);
  await writeFile(join(place, "snapshot.json"), '{"of":"somebody else"}');
  const { code, stdout } = await build(folder);
  assert.equal(code, 0);
  assert.match(stdout, /own .* no .*no snapshot: its folder holds a snapshot\.json that is none of Mayfly's/);
  assert.equal(await readFile(join(place, "snapshot.json"), "utf8"), '{"of":"somebody else"}');
  assert.deepEqual(await filesBelow(join(folder, "servers")), ["own/snapshot.json"]);
  await waitUntilGone(token);
});

test("of a server that cannot be recorded any more, no earlier snapshot stays", async (t) => {
  const { token, folder, place } = await projectOfOwn(t);
  await writeFile(join(place, "notes.txt"), "of somebody else");
  assert.equal((await build(folder)).code, 0);
  assert.deepEqual(await filesBelow(place), ["notes.txt", "snapshot.json"]);
  assert.equal((await build(folder, ["--no-snapshot"])).code, 0);
  assert.deepEqual(await filesBelow(place), ["notes.txt"]);
  await waitUntilGone(token);
});

describe("a build fails", () => {
  test("for a package that the registry has not, after the others are done", async (t) => {
    const own = fixture("counter");
    const folder = await project(await temporaryFolder(t), {
      gone: { command: "npx", args: ["-y", "@modelcontextprotocol/server-that-nobody-wrote"] },
      own: { command: own.command, args: own.args },
    });
    const { code, stdout } = await build(folder);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /gone .*not installed: @modelcontextprotocol\/server-that-nobody-wrote@latest: the registry has no such package \(E404\)/,
    );
    assert.match(stdout, /own .* yes +runs as it is/);
    assert.deepEqual(await filesBelow(join(folder, "servers")), ["own/package.json", "own/snapshot.json"]);
    await waitUntilGone(own.token);
  });

  test("where the registry cannot be reached, and leaves what was there", async (t) => {
    const folder = await project(await temporaryFolder(t), {
      memory: { command: "npx", args: ["-y", MEMORY] },
    });
    const env = {
      npm_config_registry: "http://127.0.0.1:1/",
      npm_config_cache: join(folder, "cache"),
      npm_config_fetch_retries: "0",
    };
    const place = join(folder, "servers", "memory");
    await mkdir(place, { recursive: true });
    await writeFile(join(place, "package.json"), JSON.stringify({ mayfly: { [MEMORY]: "1.0.0" } }));
    const { code, stdout } = await build(folder, [], env);
    assert.equal(code, 1);
    assert.match(stdout, /the registry cannot be reached \(ECONNREFUSED\)/);
    assert.deepEqual(await filesBelow(join(folder, "servers")), ["memory/package.json"]);
  });

  test("for a folder that holds what it did not make, and changes nothing there", async (t) => {
    const folder = await project(await temporaryFolder(t), {
      memory: { command: "npx", args: ["-y", MEMORY] },
    });
    await mkdir(join(folder, "servers", "memory"), { recursive: true });
    await writeFile(join(folder, "servers", "memory", "mine.txt"), "");
    const { code, stdout } = await build(folder);
    assert.equal(code, 1);
    assert.match(stdout, /its folder holds files that mayfly build did not make/);
    assert.deepEqual(await filesBelow(join(folder, "servers")), ["memory/mine.txt"]);
  });

  test("where the servers cannot be written", async (t) => {
    const folder = await project(await temporaryFolder(t), {
      memory: { command: "npx", args: ["-y", MEMORY] },
    });
    await writeFile(join(folder, "file"), "");
    const { code, stderr } = await build(folder, ["--out", "file/servers"]);
    assert.deepEqual([code, /ENOTDIR/.test(stderr)], [1, true]);
  });

  test("as a usage error for a name that leads out of the folder", async (t) => {
    const folder = await project(await temporaryFolder(t), {
      "..": { command: "npx", args: ["-y", MEMORY] },
    });
    const { code, stderr } = await build(folder);
    assert.equal(code, 2);
    assert.match(stderr, /mcpServers\.\.\.: cannot be the name of a folder/);
  });
});
