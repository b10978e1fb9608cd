import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { startServing } from "../support/command.ts";
import type { ServingCommand } from "../support/command.ts";
import { until, within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { fixture, testToken } from "../support/fixture.ts";
import { isAlive, processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";

const WAIT_MS = 15_000;
/** What SECURITY.md promises for a host that is killed. */
const GONE_WITHIN_MS = 5000;
const AT_ONCE = 12;

/** Each ends, or does not, in a way of its own when nobody is there any more to end it. */
const SERVERS = ["echo", "ignores-stdin", "ignores-sigterm", "spawns-grandchild", "exits-leaving-daemon"];

interface Load {
  readonly command: ServingCommand;
  readonly token: string;
  readonly temporary: string;
}

/** The built command under requests that do not end, whose servers have homes of their own. */
async function startLoad(t: TestContext): Promise<Load> {
  const folder = await temporaryFolder(t);
  const [token, temporary] = [testToken(), join(folder, "tmp")];
  await mkdir(temporary);
  const servers = SERVERS.map((name) => {
    const { command, args } = fixture(name, token);
    return [name, { command, args, private: true }];
  });
  const file = join(folder, "mcp.json");
  await writeFile(file, JSON.stringify({ mcpServers: Object.fromEntries(servers) }));
  const args = ["--config", file, "--max-processes", "64"];
  const command = await startServing(t, args, { token, env: { TMPDIR: temporary } });
  const ask = async (name: string | undefined): Promise<void> => {
    for (;;) await (await fetch(`${command.url}/mcp/${name}`, post(call("call")))).text();
  };
  // They end with the host.
  for (let client = 0; client < AT_ONCE; client += 1) {
    void ask(SERVERS[client % SERVERS.length]).catch(() => undefined);
  }
  // The child of a server ignores SIGTERM, and stdin is nothing to it.
  const lasting = (): number => processesWith(token).filter((one) => one.command.includes("SIGTERM")).length;
  const isLoaded = (): boolean => processesWith(token).length >= AT_ONCE / 2 && lasting() >= 1;
  await until(isLoaded, { withinMs: WAIT_MS, label: "servers run, and some would run for ever" });
  return { command, token, temporary };
}

function foldersIn(temporary: string): Promise<string[]> {
  return readdir(temporary);
}

async function kill({ command }: Load): Promise<void> {
  command.process.kill("SIGKILL");
  await within(command.exit(), WAIT_MS, "it is dead").catch(() => undefined);
}

describe("mayfly that is killed under load", { skip: process.platform === "win32" }, () => {
  for (let round = 1; round <= 3; round += 1) {
    test(`leaves no process and no file behind, time ${round}`, async (t) => {
      const load = await startLoad(t);
      await kill(load);
      await waitUntilGone(load.token, { withinMs: GONE_WITHIN_MS });
      await until(async () => (await foldersIn(load.temporary)).length === 0, {
        withinMs: GONE_WITHIN_MS,
        label: "TMPDIR is empty",
      });
    });
  }

  test("together with its guard leaves what the next start removes", async (t) => {
    const load = await startLoad(t);
    const guard = processesWith("mayfly-guard").find(({ ppid }) => ppid === load.command.pid);
    assert.ok(guard, "it has a guard");
    process.kill(guard.pid, "SIGKILL");
    await kill(load);
    await until(() => !isAlive(guard.pid), { withinMs: WAIT_MS, label: "the guard is dead" });
    assert.ok(processesWith(load.token).length > 0, "some do not notice");
    assert.ok((await foldersIn(load.temporary)).length > 0, "nobody has removed the homes");
    const { command, args } = fixture("echo");
    await startServing(t, ["--", command, ...args], { env: { TMPDIR: load.temporary } });
    await waitUntilGone(load.token, { withinMs: GONE_WITHIN_MS });
    await until(async () => (await foldersIn(load.temporary)).length === 0, {
      withinMs: GONE_WITHIN_MS,
      label: "TMPDIR is empty",
    });
  });
});
