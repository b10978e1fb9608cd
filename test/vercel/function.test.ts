import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { FIXTURES, STATE_SECRET, contract, contractServers } from "../contract.ts";
import { until } from "../support/deadline.ts";
import { testToken } from "../support/fixture.ts";
import { readAll } from "../support/event-stream.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";
import { buildFunction, staticFiles } from "./build.ts";
import type { BuiltFunction } from "./build.ts";
import { startDevServer } from "./dev-server.ts";
import { launchFunction } from "./launch.ts";
import type { LaunchedFunction } from "./launch.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const SHIPPED = ["api", "dist", "package.json", "tsconfig.json", "vercel.json"];
const REAL = { command: "npx", args: ["-y", "@modelcontextprotocol/server-everything"] };

interface Deployment {
  readonly project: string;
  /** Where the built function was moved: nothing of the project is near. */
  readonly output: string;
  readonly built: BuiltFunction;
  readonly remove: () => Promise<void>;
}

/** A project as a user has it, built as Vercel builds it. */
async function deploy(token: string, inputMode?: "refuse"): Promise<Deployment> {
  const project = await mkdtemp(join(tmpdir(), "mayfly-project-"));
  const output = await mkdtemp(join(tmpdir(), "mayfly-function-"));
  for (const name of SHIPPED) await cp(join(REPOSITORY, name), join(project, name), { recursive: true });
  const mcpServers = { everything: REAL, ...contractServers("servers/fixtures", token, inputMode) };
  await writeFile(join(project, "mcp.json"), JSON.stringify({ mcpServers }));
  const build = [join(project, "dist", "cli", "main.js"), "build"];
  // The command needs what the platform installs before; the function must not.
  const NODE_PATH = join(REPOSITORY, "node_modules");
  // The registry is asked for what is not here yet, and no more often than that.
  const env = { ...process.env, NODE_PATH, npm_config_prefer_offline: "true" };
  await promisify(execFile)(process.execPath, [join(REPOSITORY, "dist/cli/main.js"), ...build.slice(1)], {
    cwd: project,
    env,
  });
  await cp(FIXTURES, join(project, "servers", "fixtures"), { recursive: true });
  const built = await buildFunction(project, output);
  const remove = async (): Promise<void> => {
    for (const folder of [project, output]) await rm(folder, { recursive: true, force: true });
  };
  return { project, output, built, remove };
}

/** The log comes on another pipe than the answer, and perhaps after it. */
async function logged(launched: LaunchedFunction, pattern: RegExp): Promise<void> {
  await until(() => pattern.test(launched.log()), {
    withinMs: 10_000,
    label: () => `${String(pattern)}, in ${launched.log()}`,
  });
}

contract("the built Vercel function", async (token) => {
  const { project, output, built, remove } = await deploy(token);
  const env = { ALLOW_ANONYMOUS: "true", STATE_SECRET };
  const launched = await launchFunction(output, env, { projectFolder: project, handler: built.handler });
  return {
    fetch: (path, init) => fetch(launched.url + path, init),
    settled: () => launched.settled(),
    stop: async () => {
      await launched.stop();
      await remove();
    },
  };
});

describe("a Vercel deployment", { concurrency: false }, () => {
  const token = testToken();
  let deployment: Deployment;
  before(async () => {
    // With a secret to ask by, the environment of these tests would not be empty.
    deployment = await deploy(token, "refuse");
  });
  after(() => deployment.remove());

  test("publishes an index page and nothing else", async () => {
    assert.deepEqual(await staticFiles(deployment.project), ["index.html"]);
    const page = await readFile(join(deployment.project, "public", "index.html"), "utf8");
    assert.doesNotMatch(page, /everything|fixtures/);
  });

  test("ships one file of code, the configuration and the servers", () => {
    const own = deployment.built.files.filter((file) => !file.startsWith("servers/"));
    assert.deepEqual(
      own.filter((file) => !file.endsWith(".map")),
      ["api/mcp.js", "dist/bundle/vercel.js", "mcp.json", "package.json"],
    );
    const entry = "servers/everything/node_modules/@modelcontextprotocol/server-everything/dist/index.js";
    assert.ok(deployment.built.files.includes(entry));
    assert.equal(deployment.built.settings.supportsCancellation, true);
  });

  test("runs a real server from inside the bundle, with no npm and no PATH", async () => {
    const launched = await launchFunction(
      deployment.output,
      { AUTH_KEY: "first-key,second-key" },
      { projectFolder: deployment.project, handler: deployment.built.handler },
    );
    try {
      const url = `${launched.url}/mcp/everything`;
      const body = call("echo", { message: "from the bundle" });
      assert.equal((await fetch(url, post(body))).status, 401);
      const answer = await fetch(
        url,
        post(body, { authorization: "Bearer second-key", accept: "application/json" }),
      );
      assert.match(await answer.text(), /Echo: from the bundle/);
      assert.deepEqual(await launched.settled(), []);
      assert.doesNotMatch(launched.log(), /second-key|from the bundle/);
    } finally {
      await launched.stop();
    }
  });

  test("lets URLs set the variables that ALLOW_ENV names, and tells their values nowhere", async () => {
    const env = { ALLOW_ANONYMOUS: "true", ALLOW_ENV: "EXTRA_*" };
    const launched = await launchFunction(deployment.output, env, { projectFolder: deployment.project });
    try {
      const answer = await fetch(`${launched.url}/mcp/echo?EXTRA_TOKEN=s3cret-value`, post(call("echo")));
      assert.equal(answer.status, 200, await answer.text());
      const refused = await fetch(`${launched.url}/mcp/echo?OTHER=s3cret-value`, post(call("echo")));
      assert.equal(refused.status, 400);
      assert.deepEqual(await launched.settled(), []);
      assert.doesNotMatch(launched.log() + (await refused.text()), /s3cret-value/);
    } finally {
      await launched.stop();
    }
  });

  test("without a key and without leave for everybody, the function is closed and says what to set", async () => {
    const launched = await launchFunction(deployment.output, {}, { projectFolder: deployment.project });
    try {
      const answer = await fetch(`${launched.url}/mcp/counter`, post(call("count")));
      assert.equal(answer.status, 401);
      assert.match(await answer.text(), /AUTH_KEY.*ALLOW_ANONYMOUS/);
    } finally {
      await launched.stop();
    }
  });

  test("a broken configuration is an answer and a log line, not a crash", async () => {
    const env = { MCP_SERVER_CONFIG: '{"mcpServers":{"a":{"comand":"x"}}}', ALLOW_ANONYMOUS: "true" };
    const launched = await launchFunction(deployment.output, env, { projectFolder: deployment.project });
    try {
      const answer = await fetch(`${launched.url}/mcp`, post(call("count")));
      assert.equal(answer.status, 500);
      assert.equal(((await answer.json()) as { error: { code: number } }).error.code, -32603);
      await logged(launched, /did you mean \\"command\\"/);
    } finally {
      await launched.stop();
    }
  });

  test("a configuration that a function cannot serve is told in its log", async () => {
    const env = { MCP_SERVER_CONFIG: "node x.mjs", ALLOW_ANONYMOUS: "true", INPUT_MODE: "hold" };
    const launched = await launchFunction(deployment.output, env, { projectFolder: deployment.project });
    try {
      assert.equal((await fetch(`${launched.url}/mcp`, post(call("count")))).status, 500);
      await logged(launched, /a function cannot hold a process/);
    } finally {
      await launched.stop();
    }
  });

  test("answers under the platform's own development server too", async () => {
    const server = await startDevServer(deployment.output, { ALLOW_ANONYMOUS: "true" });
    try {
      const meta = { progressToken: 1 };
      const init = post(call("progress", { delayMs: 20 }, { meta }));
      const frames = await readAll(await fetch(`${server.url}/mcp/progress`, init));
      assert.equal(frames.length, 5);
    } finally {
      await server.stop();
    }
    await waitUntilGone(token);
  });
});
