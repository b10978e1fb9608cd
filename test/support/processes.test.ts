import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import type { Writable } from "node:stream";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { until } from "./deadline.ts";
import { testToken } from "./fixture.ts";
import type { ProcessInfo } from "./processes.ts";
import {
  allProcesses,
  descriptorsOf,
  fromPs,
  isAlive,
  processesWith,
  waitUntilGone,
  zombiesOf,
} from "./processes.ts";

test("a process is found by the token in its arguments, until it has ended", async (t) => {
  const token = testToken();
  assert.deepEqual(processesWith(token), []);
  const { pid, server } = start(t, process.execPath, [
    "-e",
    "process.stdin.resume()",
    "--",
    `--token=${token}`,
  ]);
  const [found, ...others] = await until(() => nonEmpty(processesWith(token)), {
    withinMs: 2000,
    label: "found",
  });
  assert.deepEqual([found?.pid, found?.ppid, others], [pid, process.pid, []]);
  server.stdin?.end();
  await waitUntilGone(token);
  await until(() => !isAlive(pid), { withinMs: 2000, label: "it is dead" });
});

test("waitUntilGone names what is left", async (t) => {
  const token = testToken();
  const { pid } = start(t, process.execPath, ["-e", "process.stdin.resume()", "--", token]);
  await until(() => processesWith(token).length, { withinMs: 2000, label: "started" });
  const waiting = waitUntilGone(token, { withinMs: 20, label: "the server is gone" });
  await assert.rejects(waiting, ({ message }: Error) => {
    assert.match(
      message,
      new RegExp(`the server is gone\n  ${pid} \\(parent ${process.pid}, state .\\): .*${token}`),
    );
    return true;
  });
});

test("the calling process is not found", () => {
  const own = process.execPath;
  assert.equal(
    processesWith(own).some(({ pid }) => pid === process.pid),
    false,
  );
  assert.ok(allProcesses().some(({ pid, command }) => pid === process.pid && command.includes(own)));
});

test("a zombie is dead, and found as a child of who does not wait for it", async (t) => {
  // cat takes the place of the shell, and knows nothing of the child that it has. Some shells wait for a child
  // that ends earlier, so it ends when cat has echoed a line.
  const script = "(read line <&3) & echo $!; exec cat";
  const { pid, server } = start(t, "/bin/sh", ["-c", script], ["pipe", "pipe", "inherit", "pipe"]);
  const [line] = await once(server.stdout ?? server, "data");
  server.stdin?.write("echo\n");
  await once(server.stdout ?? server, "data");
  (server.stdio[3] as Writable).end();
  const zombies = await until(() => nonEmpty(zombiesOf(pid)), { withinMs: 2000, label: "a zombie" });
  assert.deepEqual(
    zombies.map((zombie) => zombie.pid),
    [Number(line)],
  );
  assert.deepEqual([isAlive(Number(line)), isAlive(pid)], [false, true]);
});

test("ps tells the same as /proc", () => {
  const own = (list: ProcessInfo[]): unknown => {
    const { pid, ppid, command } = list.find((info) => info.pid === process.pid) ?? {};
    return { pid, ppid, command };
  };
  assert.deepEqual(own(fromPs()), own(allProcesses()));
});

test("an open file counts as a descriptor", (t) => {
  const before = descriptorsOf(process.pid);
  if (before === undefined) return t.skip("there is no /proc");
  const descriptor = openSync(fileURLToPath(import.meta.url), "r");
  assert.equal(descriptorsOf(process.pid), before + 1);
  closeSync(descriptor);
  assert.equal(descriptorsOf(process.pid), before);
});

interface Started {
  readonly pid: number;
  readonly server: ChildProcess;
}

function start(t: TestContext, command: string, args: string[], stdio: StdioOptions = "pipe"): Started {
  const server = spawn(command, args, { stdio });
  const exit = once(server, "exit");
  t.after(async () => {
    server.kill("SIGKILL");
    await exit;
  });
  return { pid: server.pid ?? 0, server };
}

function nonEmpty<Item>(items: Item[]): Item[] | undefined {
  return items.length > 0 ? items : undefined;
}
