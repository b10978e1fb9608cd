import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

import { missingPrograms } from "../../lib/cli/missing-programs.ts";
import { createHandler } from "../../lib/index.ts";
import { inSandbox } from "../../lib/sandbox/sandbox.ts";
import { createServers, withEnvironment } from "../../lib/servers.ts";
import type { HandlerOptions, ServerConfig } from "../../lib/index.ts";
import { boxed } from "../support/boxed.ts";
import { ROOT } from "../support/documents.ts";
import { temporaryFolder } from "../support/files.ts";
import { waitUntilGone } from "../support/processes.ts";

const BWRAP = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all"];
const UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"];

/** Why a wrapper cannot be tried here; false if it can. */
function missing([command = "", ...args]: readonly string[]): string | false {
  return spawnSync(command, [...args, "true"]).status === 0
    ? false
    : `${command} does not work on this machine`;
}

const SERVER_OF_A_REQUEST = { TOKEN: "t0ken-value", LANG: "C" };

/** What would be started, for a request with a token. */
function started(config: Partial<ServerConfig>, options: Partial<HandlerOptions> = {}): readonly string[] {
  const own = { PATH: "/bin", HOME: "/home/x", LANG: "de", TZ: "UTC", MORE: "1", AUTH_KEY: "k" };
  const mcpServers = { box: { command: "server", args: ["{home}", "a"], ...config } };
  const server = createServers({ mcpServers, baseDirectory: "/base", ...options }, own).find("box");
  const { parameters } = withEnvironment(server, SERVER_OF_A_REQUEST);
  const { command, args } = inSandbox(parameters, { ...parameters.env, HOME: "/made", TMPDIR: "/made/tmp" });
  return [command, ...args];
}

describe("a wrapper", () => {
  test("stands before the command, filled in for the process; the server's own arguments stay", () => {
    const wrapper = ["wrap", "--bind", "{home}:{tmp}", "--in={cwd}", "{name}", "--"];
    const filled = ["wrap", "--bind", "/made:/made/tmp", "--in=/base/sub", "box", "--"];
    assert.deepEqual(started({ wrapper, cwd: "sub" }), [...filled, "server", "{home}", "a"]);
  });

  test("has the names of the variables that were given to this server, and no value", () => {
    const words = started({ wrapper: ["docker", "run", "{env}", "image"], env: { LOG: "x", TZ: "UTC" } });
    const given = ["LANG", "TZ", "LOG", "TOKEN"].flatMap((name) => ["--env", name]);
    assert.deepEqual(
      words.toSorted(),
      ["docker", "run", ...given, "image", "server", "{home}", "a"].toSorted(),
    );
    assert.equal(
      words.some((word) => word.includes("t0ken-value")),
      false,
    );
  });

  test("has those that are passed on, but not what all programs have, even for *", () => {
    const wrapper = ["w", "{env}"];
    const named = started({ wrapper }, { passEnv: ["MORE", "PATH"] });
    assert.deepEqual(named.filter((_, at) => named[at - 1] === "--env").toSorted(), [
      "LANG",
      "MORE",
      "PATH",
      "TOKEN",
    ]);
    const all = started({ wrapper }, { passEnv: ["*"] });
    assert.deepEqual(all.filter((_, at) => all[at - 1] === "--env").toSorted(), ["LANG", "MORE", "TOKEN"]);
  });

  test("is outside of the limits, which are outside of Node", () => {
    const words = started({
      command: "node",
      args: ["x.js"],
      wrapper: ["docker", "run", "i"],
      limits: { openFiles: 9, heapMiB: 5 },
    });
    assert.deepEqual(words.slice(0, 5), ["docker", "run", "i", "/bin/sh", "-c"]);
    const inside = ["openFiles", "-n", "9", "--", "node", "--max-old-space-size=5", "x.js"];
    assert.deepEqual(words.slice(-inside.length), inside);
  });

  test("that makes a container leaves npx to the container, and any other does not", () => {
    const config = { command: "npx", args: ["-y", "@modelcontextprotocol/server-everything"] };
    const options = { baseDirectory: ROOT };
    assert.deepEqual(started({ ...config, wrapper: ["docker", "run", "i"] }, options).slice(3), [
      "npx",
      ...config.args,
    ]);
    const behind = ["timeout", "60", "/usr/bin/docker", "run", "i"];
    assert.equal(started({ ...config, wrapper: behind }, options)[5], "npx");
    for (const wrapper of [["nice"], ["bwrap", "--bind", "/var/lib/docker", "/data"]]) {
      assert.equal(started({ ...config, wrapper }, options)[wrapper.length], process.execPath);
    }
  });

  for (const wrapper of [
    ["env"],
    ["nice", "-n", "5"],
    ["timeout", "60"],
    ["sh", "-c", 'exec "$@"', "sh"],
    ["sh", "-c", '"$@"; exit', "sh"],
  ]) {
    test(`may be ${wrapper.join(" ")}`, { skip: missing(wrapper) }, async (t) => {
      const { call } = boxed(t, "environment", { wrapper, env: { A: "1" }, limits: { openFiles: 200 } });
      const { env } = JSON.parse(await call("environment")) as { env: Record<string, string> };
      assert.equal(env["A"], "1");
    });

    test(
      `and a server in ${wrapper[0]} that ignores SIGTERM is killed`,
      { skip: missing(wrapper) },
      async (t) => {
        const { call, token } = boxed(t, "ignores-sigterm", { wrapper }, { killGraceMs: 100 });
        assert.equal(await call("any"), "ok");
        await waitUntilGone(token);
      },
    );
  }

  test(
    "that leaves the group in a session of its own still ends with stdin",
    { skip: missing(["setsid", "--wait"]) },
    async (t) => {
      const { call, token } = boxed(t, "environment", { wrapper: ["setsid", "--wait"] });
      assert.match(await call("environment"), /execPath/);
      await waitUntilGone(token);
    },
  );

  test("that leaves the group leaves no server behind, where processes can be found", async (t) => {
    if (process.platform !== "linux") return t.skip("only on Linux");
    const wrapper = ["setsid", "--wait"];
    const { call, token } = boxed(t, "ignores-sigterm", { wrapper }, { killGraceMs: 100 });
    assert.equal(await call("any"), "ok");
    await waitUntilGone(token, { withinMs: 20_000 });
  });

  test("knows the places of a process that has its own", async (t) => {
    const { call } = boxed(t, "environment", { wrapper: ["env", "PLACES={home} {tmp}"], private: true });
    const { env } = JSON.parse(await call("environment")) as { env: Record<string, string> };
    assert.match(env["HOME"] ?? "", /mayfly-/);
    assert.equal(env["PLACES"], `${env["HOME"]} ${env["TMPDIR"]}`);
  });

  test("that is not there is an error of its own", async (t) => {
    const { call } = boxed(t, "echo", { wrapper: ["no-such-wrapper"] });
    assert.match(await call("echo"), /^spawn_failed: .*\(ENOENT: no such program to wrap it\)$/);
    const mcpServers = { a: { command: "no-such-program", wrapper: ["no-such-wrapper", "x"] } };
    assert.deepEqual(missingPrograms({ mcpServers }), [{ server: "a", command: "no-such-wrapper" }]);
  });

  test("belongs to a server", () => {
    const options = { mcpServers: { a: { command: "x" } }, wrapper: ["x"] } as HandlerOptions;
    assert.throws(() => createHandler(options), /"wrapper" belongs to a server, below mcpServers/);
  });
});

describe("bwrap", { skip: missing(BWRAP) }, () => {
  test("keeps a server from writing, but for what it is given", async (t) => {
    const folder = await temporaryFolder(t);
    const wrapper = [...BWRAP, "--die-with-parent", "--bind", "{home}", "{home}", "--"];
    const env = { HOME: folder };
    const { call } = boxed(t, "reaches-out", { wrapper, env, limits: { cpuSeconds: 20, coreMiB: 0 } });
    assert.equal(await call("write", { path: join(folder, "file") }), "done ");
    const outside = join(tmpdir(), `mayfly-outside-${process.pid}`);
    assert.equal(await call("write", { path: outside }), "EROFS");
    assert.equal(existsSync(outside), false);
  });

  for (const more of [[], ["--die-with-parent"], ["--new-session", "--die-with-parent"]]) {
    test(`leaves no server that ignores SIGTERM: ${more.join(" ")}`, async (t) => {
      const { call, token } = boxed(
        t,
        "ignores-sigterm",
        { wrapper: [...BWRAP, ...more, "--"] },
        { killGraceMs: 100 },
      );
      assert.equal(await call("any"), "ok");
      await waitUntilGone(token);
    });
  }

  test("and a limit inside of it is named", async (t) => {
    const { call } = boxed(t, "uses-up", { wrapper: [...BWRAP, "--"], limits: { cpuSeconds: 1 } });
    assert.match(await call("cpu"), /^exited: .*\(used more than 1 seconds of CPU\)/);
  });
});

describe("unshare", { skip: missing(UNSHARE) }, () => {
  test("makes a server that sees no other process, and leaves none", async (t) => {
    const { call, token } = boxed(t, "ignores-sigterm", { wrapper: UNSHARE }, { killGraceMs: 100 });
    assert.equal(await call("any"), "ok");
    await waitUntilGone(token);
    const { call: other } = boxed(t, "environment", { wrapper: UNSHARE });
    assert.equal((JSON.parse(await other("environment")) as { pid: number }).pid, 1);
  });
});

test("docker run gets names and never values", async (t) => {
  const folder = await temporaryFolder(t);
  const log = join(folder, "argv");
  const docker = join(folder, "docker");
  // Stands in for docker, whose daemon is not everywhere: notes its arguments and runs what comes behind the image.
  await writeFile(
    docker,
    `#!/bin/sh\necho "$*" > ${log}\nwhile [ "$1" != image ]; do shift; done\nshift\nexec "$@"\n`,
    { mode: 0o755 },
  );
  const wrapper = [docker, "run", "-i", "--rm", "--init", "{env}", "image"];
  const { call } = boxed(t, "environment", { wrapper, env: { SECRET: "s3cret-value" } });
  const { env } = JSON.parse(await call("environment")) as { env: Record<string, string> };
  assert.equal(env["SECRET"], "s3cret-value");
  const { stdout } = spawnSync("cat", [log], { encoding: "utf8" });
  assert.match(stdout, /^run -i --rm --init --env SECRET image /);
  assert.equal(stdout.includes("s3cret-value"), false);
});
