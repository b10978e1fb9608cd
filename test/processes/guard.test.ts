import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { silentLogger } from "../../lib/logger.ts";
import type { Logger } from "../../lib/logger.ts";
import { createGuard } from "../../lib/processes/guard.ts";
import { createHostId } from "../../lib/processes/host-id.ts";
import { limited } from "../support/command.ts";
import { until, within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import { isAlive, processesWith, waitUntilGone } from "../support/processes.ts";

const WAIT_MS = 10_000;
const NO_SHELL = process.platform === "win32" && "there is no ulimit";
const FOREVER = "setInterval(() => {}, 2 ** 30)";

/** A group of its own, as servers are started. */
function startGroup(t: TestContext, token: string): ChildProcess {
  const group = spawn(process.execPath, ["-e", FOREVER, "--", token], { detached: true, stdio: "ignore" });
  t.after(() => group.kill("SIGKILL"));
  return group;
}

function guardsOf(id: string): number[] {
  return processesWith(`MAYFLY_PROCESS=${id}.`).map(({ pid }) => pid);
}

async function guardOf(id: string): Promise<number> {
  const [pid] = await until(() => (guardsOf(id).length > 0 ? guardsOf(id) : undefined), {
    withinMs: WAIT_MS,
    label: "the guard runs",
  });
  return pid ?? 0;
}

describe("the guard", () => {
  test("is started with the first group, watches all of them, and ends when it is told to", async (t) => {
    const [id, token] = [createHostId(), testToken()];
    const guard = createGuard(id, silentLogger);
    assert.deepEqual(guardsOf(id), []);
    const [first, second] = [startGroup(t, token), startGroup(t, token)];
    for (const { pid = 0 } of [first, second]) guard.watch(pid);
    await guardOf(id);
    await guard.close();
    assert.deepEqual(guardsOf(id), []);
    // It was told, and not left alone: who closes it has ended the groups.
    assert.ok(isAlive(first.pid ?? 0) && isAlive(second.pid ?? 0));
    first.kill("SIGKILL");
    second.kill("SIGKILL");
    await waitUntilGone(token);
  });

  test("does not hold up the end of its host when somebody has stopped it", async (t) => {
    const [id, token] = [createHostId(), testToken()];
    const guard = createGuard(id, silentLogger);
    const group = startGroup(t, token);
    guard.watch(group.pid ?? 0);
    const pid = await guardOf(id);
    t.after(() => isAlive(pid) && process.kill(pid, "SIGKILL"));
    process.kill(pid, "SIGSTOP");
    await within(guard.close(), WAIT_MS, "the guard is gone");
    assert.deepEqual(guardsOf(id), []);
    group.kill("SIGKILL");
    await waitUntilGone(token);
  });

  test("keeps nothing back of a host that never needed it", async () => {
    await createGuard(createHostId(), silentLogger).close();
  });

  test("is replaced when somebody ends it, and the new one knows every group", async (t) => {
    const [id, token] = [createHostId(), testToken()];
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_fields, message) => warnings.push(message) };
    const guard = createGuard(id, logger);
    const [first, second] = [startGroup(t, token), startGroup(t, token)];
    guard.watch(first.pid ?? 0);
    process.kill(await guardOf(id), "SIGKILL");
    await until(() => warnings.length > 0, { withinMs: WAIT_MS, label: "it is reported" });
    assert.deepEqual(warnings, ["The guard has ended: a killed host may leave processes"]);
    guard.watch(second.pid ?? 0);
    const pid = await guardOf(id);
    assert.ok(isAlive(pid));
    await guard.close();
    first.kill("SIGKILL");
    second.kill("SIGKILL");
    await waitUntilGone(token);
  });
});

/** A host as a process of its own, which says what its guard watches. */
const HOST = `
import { spawn } from "node:child_process";
import { createGuard } from ${JSON.stringify(new URL("../../lib/processes/guard.ts", import.meta.url).href)};
const [id, token] = process.argv.slice(-2);
const start = (env) => spawn(process.execPath, ["-e", ${JSON.stringify(FOREVER)}, "--", token], { detached: true, stdio: "ignore", env });
const guard = createGuard(id, console);
const watched = start({});
const ended = start({});
guard.watch(watched.pid);
guard.watch(ended.pid)();
const marked = start({ MAYFLY_PROCESS: id + ".1" });
const other = start({ MAYFLY_PROCESS: id + "0.1" });
process.send({ watched: watched.pid, ended: ended.pid, marked: marked.pid, other: other.pid });
setInterval(() => {}, 2 ** 30);
`;

/** A host that has no descriptors when it needs a guard, and has some later. */
const POOR_HOST = `
import { closeSync, openSync } from "node:fs";
import { createGuard } from ${JSON.stringify(new URL("../../lib/processes/guard.ts", import.meta.url).href)};
const [id] = process.argv.slice(-1);
const said = [];
const guard = createGuard(id, { warn: ({ reason }) => said.push(reason) });
const taken = [];
try { for (;;) taken.push(openSync("/dev/null")); } catch {}
guard.watch(2 ** 30);
taken.forEach((descriptor) => closeSync(descriptor));
setImmediate(async () => {
  const unwatch = guard.watch(2 ** 30 + 1);
  unwatch();
  await guard.close();
  process.send(said, () => process.disconnect());
});
`;

test(
  "a host without descriptors lives on without a guard, and has one later",
  { skip: NO_SHELL },
  async () => {
    const id = createHostId();
    const words = [process.execPath, "--import", "tsx", "--input-type=module", "-e", POOR_HOST, "--", id];
    const [command = "", ...args] = limited(words, 320);
    const host = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const said = once(host, "message").then(([reasons]) => reasons as unknown);
    const died = once(host, "exit").then(([code]) => `exit code ${code}`);
    assert.deepEqual(await within(Promise.race([said, died]), WAIT_MS, "the guard is closed"), [
      "spawn /bin/sh EMFILE",
    ]);
    await within(died, WAIT_MS, "the host ends");
    assert.deepEqual(guardsOf(id), []);
  },
);

describe("when the host is killed, the guard", () => {
  test("ends what it watches and what bears a mark of the host, removes its folders, and ends", async (t) => {
    const [id, token] = [createHostId(), testToken()];
    const temporary = await temporaryFolder(t);
    for (const name of [`mayfly-${id}-1`, `mayfly-${id}-22`, "mayfly-other"]) {
      await mkdir(join(temporary, name, "home"), { recursive: true });
    }
    const host = spawn(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", HOST, "--", id, token],
      {
        env: { ...process.env, TMPDIR: temporary },
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      },
    );
    t.after(() => host.kill("SIGKILL"));
    const [pids] = (await within(once(host, "message"), WAIT_MS, "the host is ready")) as [
      Record<string, number>,
    ];
    t.after(() => {
      for (const pid of [pids["ended"], pids["other"]]) if (pid !== undefined) process.kill(pid, "SIGKILL");
    });
    const guard = await guardOf(id);
    host.kill("SIGKILL");
    for (const name of ["watched", "marked"]) {
      await until(() => !isAlive(pids[name] ?? 0), { withinMs: WAIT_MS, label: `${name} is gone` });
    }
    await until(() => !isAlive(guard), { withinMs: WAIT_MS, label: "the guard is gone" });
    assert.ok(
      isAlive(pids["ended"] ?? 0),
      "a group that was gone is nobody's any more: its number may be another's",
    );
    assert.ok(isAlive(pids["other"] ?? 0), "the mark of another host");
    const left = (await readdir(temporary)).filter((name) => name.startsWith("mayfly-"));
    assert.deepEqual(left, ["mayfly-other"]);
  });
});
