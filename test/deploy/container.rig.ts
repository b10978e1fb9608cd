// Builds the images and runs them: npm run test:container. Takes minutes, so `npm test` leaves it out.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TestContext } from "node:test";
import { promisify } from "node:util";

import { ROOT } from "../support/documents.ts";
import { readEvents } from "../support/event-stream.ts";
import { testToken } from "../support/fixture.ts";
import { processesWith, waitUntilGone, zombiesOf } from "../support/processes.ts";
import { call, post, request } from "../support/rpc.ts";
import { KEY, ULIMITS, startContainer, startCutOff } from "./container/container.ts";
import type { Container, Stopped } from "./container/container.ts";
import { createEngine, missingForContainers } from "./container/engine.ts";
import type { Engine } from "./container/engine.ts";

const SECOND = 1000;
const IMAGES = {
  "the Dockerfile": "mayfly",
  "the Dockerfile without Python": "mayfly-node",
  "examples/docker": "example",
};

describe("the image", { skip: missingForContainers(), timeout: 900 * SECOND }, () => {
  let engine: Engine;
  before(async () => {
    engine = await createEngine();
    await engine.build("mayfly", ROOT);
    await engine.build("mayfly-node", ROOT, ["--target", "node"]);
    await engine.build("example", await exampleContext(engine));
  });
  after(() => engine.close());

  for (const [name, image] of Object.entries(IMAGES)) {
    test(`of ${name} answers, as nobody and with nothing to write to`, async (t) => {
      const container = await startContainer(t, engine, image);
      assert.match(await text(container.post("/mcp", call("echo", { message: "hello" }))), /Echo: hello/);
      assert.equal((await fetch(`${container.url}/mcp`, { method: "POST" })).status, 401);
      assert.equal(await container.shell("id -u; id -g; cat /proc/1/comm"), "1000\n1000\ntini");
      const status = await container.shell("cat /proc/1/status");
      assert.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m);
      assert.match(status, /^CapEff:\t0{16}$/m);
      assert.match(status, /^NoNewPrivs:\t1$/m);
      assert.match(await container.shell("touch /srv/file 2>&1 || true"), /Read-only file system/);
      t.diagnostic(`${image}: ${await sizeOf(engine, image)}`);
    });

    test(`of ${name} stops in under a second`, async (t) => {
      await underASecond(t, async () => {
        const container = await startContainer(t, engine, image);
        await text(container.post("/mcp", request("tools/list")));
        return container.stop();
      });
    });
  }

  test("answers without any network, and listens on all addresses", async (t) => {
    const shell = await startCutOff(t, engine, "mayfly");
    assert.equal(await shell("ls /sys/class/net"), "lo");
    assert.match(await shell("cat /proc/net/tcp"), /^ *0: 00000000:1F40 /m);
    assert.match(await shell(`node -e '${CALL}'`), /Echo: cut off/);
  });

  test("does not start without a key", () => {
    const { status, output } = engine.attempt("run", "--rm", "--network", "none", ...ULIMITS, "mayfly");
    assert.equal(status, 2);
    assert.match(output, /set a key/);
  });

  test("has what its HEALTHCHECK asks for, and the check sees a host that is gone", async (t) => {
    const container = await startContainer(t, engine, "mayfly");
    const check = await healthCheck(engine);
    assert.equal(await container.shell(`${check} && echo healthy`), "healthy");
    assert.equal(await container.shell(`PORT=1 ${check} || echo unhealthy`), "unhealthy");
    assert.equal(engine.attempt("healthcheck", "run", container.id).status, 0);
  });

  test("ends a call that runs with it, in under a second where it may take no longer", async (t) => {
    const { options, token } = await mounted(engine);
    const args = ["--shutdown-timeout", "300"];
    await underASecond(t, async () => {
      const container = await startContainer(t, engine, "mayfly", { options, args });
      const stopped = await stopDuringCall(container, token);
      await waitUntilGone(token);
      return stopped;
    });
  });

  test("leaves no process of a request, and no zombie of what lost its parent", async (t) => {
    const { options, token } = await mounted(engine);
    const container = await startContainer(t, engine, "mayfly", { options });
    for (let round = 0; round < 5; round++) await text(container.post("/mcp/orphans", call("any")));
    await waitUntilGone(token);
    assert.deepEqual(zombiesOf(container.pid), []);
  });

  test("runs a server in Python, with an mcp.json that is mounted", async (t) => {
    const { options } = await mounted(engine);
    const container = await startContainer(t, engine, "mayfly", { options });
    assert.match(await text(container.post("/mcp/python", call("python"))), /Python 3/);
    assert.match(await container.shell("ls /usr/local/bin"), /^uv\nuvx$/m);
  });

  test("holds no key and no setting of npm", async () => {
    const history = await engine.podman("history", "--no-trunc", "--format", "{{.CreatedBy}}", "mayfly");
    assert.doesNotMatch(history, /AUTH_KEY|_authToken/);
    const { output } = engine.attempt(
      "run",
      "--rm",
      "--entrypoint",
      "find",
      "mayfly",
      "/root",
      "/home",
      "-name",
      ".npmrc",
    );
    assert.doesNotMatch(output, /^\/.*npmrc$/m);
  });
});

/** A call, as a program for `node -e` between single quotes: the image has no curl. */
const CALL = `fetch("http://127.0.0.1:8000/mcp", ${JSON.stringify(
  post(call("echo", { message: "cut off" }), { Authorization: `Bearer ${KEY}` }),
)}).then((answer) => answer.text()).then(console.log)`;

/** A folder as that of somebody who has the package from npm. */
async function exampleContext(engine: Engine): Promise<string> {
  const context = join(engine.folder, "example");
  await cp(join(ROOT, "examples", "docker"), context, { recursive: true });
  const options = { cwd: ROOT, timeout: 60 * SECOND };
  const packed = await promisify(execFile)(
    "npm",
    ["pack", "--ignore-scripts", "--json", "--pack-destination", context],
    options,
  );
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  const manifest = JSON.parse(await readFile(join(context, "package.json"), "utf8")) as {
    dependencies: object;
  };
  const dependencies = { ...manifest.dependencies, "mcp-mayfly": `file:${filename}` };
  await writeFile(join(context, "package.json"), JSON.stringify({ ...manifest, dependencies }));
  // It is not in the registry yet: it comes along.
  const dockerfile = await readFile(join(context, "Dockerfile"), "utf8");
  await writeFile(
    join(context, "Dockerfile"),
    dockerfile.replace("COPY package.json", `COPY ${filename} package.json`),
  );
  return context;
}

interface Mounted {
  readonly options: readonly string[];
  readonly token: string;
}

/** The fixtures, as servers of an mcp.json that replaces the image's. */
async function mounted(engine: Engine): Promise<Mounted> {
  const token = testToken();
  const folder = join(engine.folder, token);
  await mkdir(folder);
  const node = (file: string): object => ({
    command: "node",
    args: [`/srv/fixtures/${file}.mjs`, `--token=${token}`],
  });
  const mcpServers = {
    waits: node("progress"),
    orphans: node("exits-leaving-grandchild"),
    python: { command: "python3", args: ["/srv/python/server.py"] },
  };
  await writeFile(join(folder, "mcp.json"), JSON.stringify({ mcpServers }));
  const volumes = {
    [folder]: "/srv/config",
    [join(ROOT, "test", "fixtures", "servers")]: "/srv/fixtures",
    [join(ROOT, "test", "deploy", "container")]: "/srv/python",
  };
  const pairs = Object.entries(volumes).map(([from, to]) => `--volume=${from}:${to}:ro`);
  return { token, options: [...pairs, "--env=MCP_CONFIG=/srv/config/mcp.json"] };
}

/** Once in three times at least: podman itself is slow on a machine that is busy. PID 1 ends well each time. */
async function underASecond(t: TestContext, stop: () => Promise<Stopped>): Promise<void> {
  for (let round = 1; ; round++) {
    const { ms, code } = await stop();
    t.diagnostic(`stopped in ${Math.round(ms)} ms`);
    assert.equal(code, 0);
    if (ms < SECOND) return;
    assert.ok(round < 3, "no stop of three took less than a second");
  }
}

/** The server never answers the call, which therefore runs when the container is told to stop. */
async function stopDuringCall(container: Container, token: string): Promise<Stopped> {
  const running = call("progress", { steps: 1, gate: "/nowhere" }, { meta: { progressToken: 1 } });
  const events = readEvents(await container.post("/mcp/waits", running));
  await events.next();
  assert.ok(processesWith(token).length > 0, "the call runs");
  const stopped = await container.stop();
  for await (const frame of events) assert.ok(frame.lines.length > 0);
  return stopped;
}

/** As a line of a shell. */
async function healthCheck(engine: Engine): Promise<string> {
  const [config] = JSON.parse(await engine.podman("inspect", "mayfly")) as [
    { Healthcheck: { Test: string[] } },
  ];
  const [kind, ...words] = config.Healthcheck.Test;
  assert.equal(kind, "CMD");
  return words.map((word) => `"${word}"`).join(" ");
}

async function sizeOf(engine: Engine, image: string): Promise<string> {
  const bytes = async (tag: string): Promise<number> =>
    Number(await engine.podman("inspect", "--format", "{{.Size}}", tag));
  const [whole, base] = await Promise.all([bytes(image), bytes("docker.io/library/node:24-slim")]);
  const megabytes = (size: number): number => Math.round(size / 1e6);
  return `${megabytes(whole)} MB, of which ${megabytes(whole - base)} MB stand on the image of Node`;
}

async function text(response: Promise<Response>): Promise<string> {
  return (await response).text();
}
