import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { startServing } from "../support/command.ts";
import type { ServingCommand } from "../support/command.ts";
import { until, within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { fixture } from "../support/fixture.ts";
import { textOf } from "../support/modern.ts";
import type { Answer } from "../support/modern.ts";
import { call, post } from "../support/rpc.ts";

const WAIT_MS = 15_000;
const SECRET = "s3cret-of-one-caller";
const KEY = "the-k3y-of-this-host";

/** A pin: what the server of a request finds, where the host has all of these set and nothing else is configured. */
const DOCUMENTED = [
  ...["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"],
  // By which Mayfly finds what the server has started.
  "MAYFLY_PROCESS",
  // Of the configuration, and passed on.
  ...["LOG", "PASSED_ON"],
];

/** The host's own variables: those that are handed on, and those that must not be. */
const OWN = {
  LANG: "C",
  LC_ALL: "C",
  LOGNAME: "host",
  SHELL: "/bin/sh",
  TERM: "dumb",
  TMPDIR: "/tmp",
  TZ: "UTC",
  USER: "host",
  PASSED_ON: "1",
  TOKEN: "of-the-host",
  OTHER_SECRET: "of-the-host",
  AUTH_KEY: KEY,
};

interface Setup extends ServingCommand {
  readonly ask: (headers: Readonly<Record<string, string>>, tool?: string) => Promise<Answer>;
}

async function setUp(t: TestContext, ...options: readonly string[]): Promise<Setup> {
  const { command, args, token } = fixture("dumps-environment");
  const server = { command, args, env: { LOG: "1" }, envFrom: { TOKEN: "header:x-token", PASS: "bearer" } };
  const file = join(await temporaryFolder(t), "mcp.json");
  await writeFile(file, JSON.stringify({ mcpServers: { only: server } }));
  const serving = await startServing(t, ["--config", file, ...options], { env: OWN, token });
  const ask: Setup["ask"] = async (headers, tool = "environment") => {
    const init = post(call(tool), { "x-api-key": KEY, ...headers });
    const response = await within(fetch(`${serving.url}/mcp`, init), WAIT_MS, "an answer");
    return (await response.json()) as Answer;
  };
  return { ...serving, ask };
}

test("the server of a request has exactly the documented variables, and its caller's", async (t) => {
  const { ask } = await setUp(t, "--pass-env", "PASSED_ON,TOKEN");
  const namesWith = async (headers: Readonly<Record<string, string>>): Promise<string[]> =>
    Object.keys(JSON.parse(textOf(await ask(headers))) as object).toSorted();
  assert.deepEqual(await namesWith({}), DOCUMENTED.toSorted());
  const brought = { "x-token": SECRET, authorization: `Bearer ${SECRET}` };
  assert.deepEqual(await namesWith(brought), [...DOCUMENTED, "TOKEN", "PASS"].toSorted());
  assert.deepEqual(await namesWith({}), DOCUMENTED.toSorted());
  assert.deepEqual(await namesWith({ authorization: `Bearer ${KEY}` }), DOCUMENTED.toSorted());
});

test("--debug shows no value of a caller, nor the key, when the server prints all and crashes", async (t) => {
  const { ask, stdout, stderr } = await setUp(t, "--debug");
  const headers = { "x-token": SECRET, authorization: `Bearer ${SECRET}-2` };
  await ask(headers);
  await ask(headers, "crash");
  await until(() => stderr().includes("TOKEN=***"), { withinMs: WAIT_MS, label: "the report is in the log" });
  for (const secret of [SECRET, KEY]) assert.ok(!(stdout() + stderr()).includes(secret));
});

describe("the list of processes", { skip: process.platform !== "linux" && "it has no /proc" }, () => {
  for (const [what, options, secret] of [
    ["--auth-key", ["--auth-key", KEY], KEY],
    ["--auth-key with an equals sign", [`--auth-key=${KEY}`], KEY],
    ["-e", ["-e", `OTHER=${SECRET}`], SECRET],
    ["--state-secret", ["--state-secret", `${SECRET}-${SECRET}`], SECRET],
  ] as const) {
    test(`does not show the value of ${what}`, async (t) => {
      const { pid, ask } = await setUp(t, ...options);
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      assert.ok(!line.includes(secret), line);
      assert.equal(line.replaceAll("\0", ""), "mayfly");
      // The options count all the same.
      assert.match(textOf(await ask({})), /"LOG":"1"/);
    });
  }
});
