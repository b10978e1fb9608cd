import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import type { ServerLimits } from "../../lib/index.ts";
import { underLimits } from "../../lib/sandbox/limits.ts";
import type { Launcher } from "../../lib/sandbox/limits.ts";
import { boxed } from "../support/boxed.ts";
import { temporaryFolder } from "../support/files.ts";

const HAS_PROC = existsSync("/proc/self/limits");
/** macOS takes such a limit and does not hold it. */
const LINUX_ONLY = { skip: process.platform !== "linux" && "address space is limited on Linux only" };
const HAS_PRLIMIT = spawnSync("prlimit", ["--version"]).status === 0;
const ALL: ServerLimits = { cpuSeconds: 7, addressSpaceMiB: 3000, openFiles: 77, fileMiB: 3, coreMiB: 0 };

function run(limits: ServerLimits, launcher: Launcher, words: readonly string[]) {
  const [command = "", ...args] = words;
  const started = underLimits({ command, args }, limits, launcher);
  return spawnSync(started.command, started.args, { encoding: "utf8" });
}

/** Soft and hard, by the name that Linux has for them. */
function limitsIn(text: string): Record<string, readonly string[]> {
  const rows = text.split("\n").flatMap((line) => {
    const [, name, soft, hard] = /^Max (.+?)\s{2,}(\S+)\s+(\S+)/.exec(line) ?? [];
    return name === undefined ? [] : [[name, [soft ?? "", hard ?? ""]] as const];
  });
  return Object.fromEntries(rows);
}

for (const launcher of ["sh", "prlimit"] as const) {
  const missing = !HAS_PROC || (launcher === "prlimit" && !HAS_PRLIMIT);
  describe(`limits set by ${launcher}`, { skip: missing && "this machine cannot show it" }, () => {
    test("are those of the process, soft and hard", () => {
      const { stdout } = run(ALL, launcher, ["cat", "/proc/self/limits"]);
      const found = limitsIn(stdout);
      assert.deepEqual(found["cpu time"], ["7", "8"]);
      assert.deepEqual(found["address space"], ["3145728000", "3145728000"]);
      assert.deepEqual(found["open files"], ["77", "77"]);
      assert.deepEqual(found["file size"], ["3145728", "3145728"]);
      assert.deepEqual(found["core file size"], ["0", "0"]);
    });

    test("leave out what is not asked for", () => {
      const { stdout } = run({ openFiles: 50 }, launcher, ["cat", "/proc/self/limits"]);
      const [found, ours] = [
        limitsIn(stdout),
        limitsIn(spawnSync("cat", ["/proc/self/limits"]).stdout.toString()),
      ];
      assert.deepEqual(found, { ...ours, "open files": ["50", "50"] });
    });

    test("pass every argument on as it is", () => {
      const odd = [
        "",
        " ",
        "$HOME",
        "`id`",
        "$(id)",
        "a;b",
        "--",
        "-c",
        "'",
        '"',
        "\\",
        "*",
        "{home}",
        "a\nb",
      ];
      const print = ["-e", "console.log(JSON.stringify(process.argv.slice(1)))", "--", ...odd];
      const { stdout } = run({ openFiles: 500 }, launcher, [process.execPath, ...print]);
      assert.deepEqual(JSON.parse(stdout), odd);
    });

    test("keep the process id", () => {
      const { stdout, pid } = run({ openFiles: 50 }, launcher, ["sh", "-c", "echo $$"]);
      assert.equal(Number(stdout), pid);
    });
  });
}

test("without a limit of the system nothing is started before the command", () => {
  const command = { command: "x", args: ["y"] };
  assert.equal(underLimits(command, { heapMiB: 10 }, "sh"), command);
});

test("a function that bash reads from its environment does not stand in for ulimit", (t) => {
  const bash = spawnSync("bash", ["--version"]);
  if (bash.status !== 0) return t.skip("there is no bash");
  const { args } = underLimits({ command: "cat", args: ["/proc/self/limits"] }, { openFiles: 50 }, "sh");
  const env = { PATH: process.env["PATH"], "BASH_FUNC_ulimit%%": "() { :; }" };
  // By that name it is in POSIX mode, and reads no file of its own.
  const { stdout } = spawnSync("bash", args, { argv0: "sh", encoding: "utf8", env });
  assert.deepEqual(limitsIn(stdout)["open files"], ["50", "50"]);
});

describe("a server", () => {
  test("that computes for too long is ended, and the caller learns why", async (t) => {
    const { call } = boxed(t, "uses-up", { limits: { cpuSeconds: 1 } });
    assert.equal(
      await call("cpu"),
      'exited: The server "uses-up" ended with SIGXCPU (used more than 1 seconds of CPU) before it answered tools/call',
    );
  });

  test("that fills its heap is ended, and the caller learns why", async (t) => {
    const { call } = boxed(t, "uses-up", { limits: { heapMiB: 32 } });
    assert.match(
      await call("heap"),
      /^exited: .* ended with SIG\w+ \(used more than its heap of 32 MiB\) before/,
    );
  });

  test("gets no more address space than it may have", LINUX_ONLY, async (t) => {
    const { call } = boxed(t, "uses-up", { limits: { addressSpaceMiB: 8192 } });
    assert.match(await call("address", { mib: 1024 }), /^done 4$/);
    assert.match(await call("address", { mib: 9216 }), /allocation failed/);
  });

  test("that has too little address space to start is said to lack it", LINUX_ONLY, async (t) => {
    const { call } = boxed(t, "uses-up", { limits: { addressSpaceMiB: 300 } });
    assert.match(
      await call("files"),
      /^exited: .*perhaps for want of address space, of which it may have 300 MiB/,
    );
  });

  test("opens no more files than it may", async (t) => {
    const { call } = boxed(t, "uses-up", { limits: { openFiles: 100 } });
    assert.deepEqual(
      [await call("files", { count: 20 }), await call("files", { count: 100 })],
      ["done 20", "EMFILE"],
    );
  });

  test("writes no larger file than it may", async (t) => {
    const folder = await temporaryFolder(t);
    const { call } = boxed(t, "uses-up", { limits: { fileMiB: 1 }, env: { TMPDIR: folder } });
    assert.equal(await call("file", { mib: 1, name: "one" }), "done undefined");
    assert.equal(await call("file", { mib: 2, name: "two" }), "EFBIG");
  });

  test("that is ended for writing one is said to be", async (t) => {
    const folder = await temporaryFolder(t);
    const args = ["-c", `exec cat /dev/zero > ${join(folder, "file")}`];
    const { call } = boxed(t, "uses-up", { command: "/bin/sh", args, limits: { fileMiB: 1, coreMiB: 0 } });
    assert.match(
      await call("any"),
      /^exited: .* ended with SIGXFSZ \(wrote a file of more than 1 MiB\) before/,
    );
  });

  test("is not started without a limit that the host does not allow", async (t) => {
    const folder = await temporaryFolder(t);
    const args = ["-c", `echo started > ${join(folder, "started")}`];
    // More than any system has: not even root may.
    const { call } = boxed(t, "uses-up", { command: "/bin/sh", args, limits: { openFiles: 2 ** 31 - 1 } });
    assert.equal(
      await call("any"),
      'spawn_failed: The server "uses-up" could not be started (this host does not allow the limit openFiles of 2147483647)',
    );
    assert.equal(existsSync(join(folder, "started")), false);
  });

  test("whose program is not there is said to have none", async (t) => {
    const { call } = boxed(t, "uses-up", { command: "no-such-program", limits: { openFiles: 50 } });
    assert.match(await call("any"), /^spawn_failed: .*\(exit code 127: no such program\)$/);
  });

  test("whose program cannot be executed is said so", async (t) => {
    const file = join(await temporaryFolder(t), "file");
    await writeFile(file, "");
    const { call } = boxed(t, "uses-up", { command: file, limits: { openFiles: 50 } });
    assert.match(await call("any"), /^spawn_failed: .*\(exit code 126: its program cannot be executed\)$/);
  });

  test("that stays under its limits works as without", async (t) => {
    const { call } = boxed(t, "environment", { limits: { ...ALL, addressSpaceMiB: 8192 }, env: { A: "1" } });
    const { env, execPath } = JSON.parse(await call("environment")) as { env: object; execPath: string };
    assert.equal(execPath, process.execPath);
    assert.equal((env as Record<string, string>)["A"], "1");
  });
});
