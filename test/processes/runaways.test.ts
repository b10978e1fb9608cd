import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { createHandler } from "../../lib/index.ts";
import type { HandlerOptions } from "../../lib/index.ts";
import { tellsAge } from "../../lib/processes/numbers.ts";
import { createRunaways } from "../../lib/processes/runaways.ts";
import { limited } from "../support/command.ts";
import { until, within } from "../support/deadline.ts";
import { fixture, testToken } from "../support/fixture.ts";
import { isAlive, processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";

const WAIT_MS = 10_000;

interface Caller {
  readonly token: string;
  readonly ask: (body: object) => Promise<string>;
  readonly close: () => Promise<void>;
}

function createCaller(
  t: TestContext,
  name: string,
  server: object,
  options: Partial<HandlerOptions> = {},
): Caller {
  const { command, args, token } = fixture(name);
  const handler = createHandler({
    mcpServers: { [name]: { command, args, ...server } },
    allowAnonymous: true,
    ...options,
  });
  const close = () => within(handler.close(), WAIT_MS, "the handler closes");
  t.after(async () => {
    await close();
    for (const { pid } of processesWith(token)) process.kill(pid, "SIGKILL");
    await waitUntilGone(token);
  });
  const ask = async (body: object): Promise<string> => {
    const response = handler.fetch(new Request("http://localhost/mcp", post(body)));
    return (await within(response, WAIT_MS, "an answer")).text();
  };
  return { token, ask, close };
}

const needsProc = { skip: !existsSync("/proc/self/environ") };

describe("a process that leaves the group of its server", needsProc, () => {
  test("is ended with it, and the handler is not closed before", async (t) => {
    const logged: object[] = [];
    const log = (fields: object, message: string): void => void logged.push({ ...fields, message });
    const logger = { debug: log, info: log, warn: log, error: log };
    const { token, ask, close } = createCaller(t, "exits-leaving-daemon", {}, { logger });
    await ask(call("call"));
    await waitUntilGone(token);
    await ask(call("call"));
    await close();
    assert.deepEqual(processesWith(token), []);
    const lines = logged.filter((line) => JSON.stringify(line).includes("had left the group"));
    assert.equal(lines.length, 2, JSON.stringify(logged));
  });

  test("may stay where the operator says so", async (t) => {
    const { token, ask, close } = createCaller(t, "exits-leaving-daemon", { keepDaemons: true });
    await ask(call("call"));
    await close();
    const [daemon] = await until(
      () => (processesWith(token).length === 1 ? processesWith(token) : undefined),
      {
        withinMs: WAIT_MS,
        label: "only the daemon is left",
      },
    );
    assert.ok(isAlive(daemon?.pid ?? 0));
  });

  test("of another request stays as long as that one runs", async (t) => {
    const { token, ask } = createCaller(t, "exits-leaving-daemon", {});
    const other = createCaller(t, "silent-in-call", { requestTimeoutMs: WAIT_MS });
    void other.ask(call("call"));
    await until(() => processesWith(other.token).length === 1, { withinMs: WAIT_MS, label: "it runs" });
    await ask(call("call"));
    await waitUntilGone(token);
    assert.equal(processesWith(other.token).length, 1);
  });
});

interface Environment {
  readonly env: Readonly<Record<string, string>>;
}

async function environmentOf({ ask }: Caller): Promise<Environment["env"]> {
  const answer = JSON.parse(await ask(call("environment"))) as { result: { content: [{ text: string }] } };
  return (JSON.parse(answer.result.content[0].text) as Environment).env;
}

describe("private", () => {
  test("gives each process a HOME and a TMPDIR that are gone after it", async (t) => {
    const caller = createCaller(t, "environment", { private: true });
    const [one, other] = await Promise.all([environmentOf(caller), environmentOf(caller)]);
    const places = [one, other].flatMap(({ HOME, TMPDIR }) => [HOME, TMPDIR]);
    assert.equal(new Set(places).size, 4);
    await caller.close();
    for (const place of places) assert.equal(existsSync(place ?? ""), false, place);
  });

  test("is what a request gets that sets variables, unless the operator says otherwise", async (t) => {
    const { HOME } = await environmentOf(createCaller(t, "environment", {}));
    assert.equal(HOME, process.env["HOME"]);
  });
});

describe("which processes are looked at", needsProc, () => {
  /** A daemon that bears a mark; it is found by whoever looks at all processes. */
  async function daemon(t: TestContext): Promise<{ mark: string; pid: number }> {
    const mark = testToken();
    const options = { detached: true, stdio: "ignore", env: { MAYFLY_PROCESS: mark } } as const;
    const { pid = 0 } = spawn(
      process.execPath,
      ["-e", "setInterval(() => {}, 2 ** 30)", "--", mark],
      options,
    );
    t.after(async () => {
      for (const left of processesWith(mark)) process.kill(left.pid, "SIGKILL");
      await waitUntilGone(mark);
    });
    await until(() => processesWith(mark).length === 1, { withinMs: WAIT_MS, label: "the daemon runs" });
    return { mark, pid };
  }

  const log = (): void => undefined;
  const runaways = createRunaways({ debug: log, info: log, warn: log, error: log });

  test("all, if their server is not known", async (t) => {
    const { mark } = await daemon(t);
    await runaways.end(mark);
    await waitUntilGone(mark);
  });

  test("all, if their server was started so long ago that the numbers may have come round", async (t) => {
    const { mark, pid } = await daemon(t);
    await runaways.end(mark, { pid: pid + 1, startedAt: performance.now() - 60_000 });
    await waitUntilGone(mark);
  });

  test("all, if the numbers have begun anew since their server was started", async (t) => {
    const { mark } = await daemon(t);
    await runaways.end(mark, { pid: 2 ** 22, startedAt: performance.now() });
    await waitUntilGone(mark);
  });

  test("all, if one of several servers that are looked for at once was started long ago", async (t) => {
    const { mark, pid } = await daemon(t);
    const startedAt = performance.now() - 60_000;
    await Promise.all([
      runaways.end(testToken(), { pid: process.pid, startedAt: performance.now() }),
      runaways.end(mark, { pid: pid + 1, startedAt }),
    ]);
    await waitUntilGone(mark);
  });

  test("the younger ones, if their server has just been started", async (t) => {
    const { mark, pid } = await daemon(t);
    await runaways.end(mark, { pid: pid - 1, startedAt: performance.now() });
    await waitUntilGone(mark);
  });
});

describe("the number of a process tells which others are older", () => {
  const now = { ageMs: 50, last: 2000, max: 2 ** 22, isOurs: true };
  const rows: readonly (readonly [what: string, told: boolean, numbers: Partial<typeof now>])[] = [
    ["as numbers are given out in turn", true, {}],
    ["also to the one that was started last", true, { last: 1000 }],
    ["not when they have begun anew", false, { last: 999 }],
    ["not where the system does not tell the last one", false, { last: Number.NaN }],
    ["for four seconds, where there are four millions", true, { ageMs: 4000 }],
    ["no longer: they may have come round", false, { ageMs: 4200 }],
    ["for hardly any time, where there are few", true, { max: 2 ** 15, ageMs: 30 }],
    ["no longer than a busy machine needs for those few", false, { max: 2 ** 15 }],
    ["not where nobody says how many there are", false, { max: Number.NaN }],
    ["not where they are those of another namespace", false, { isOurs: false }],
  ];
  for (const [what, told, numbers] of rows) {
    test(what, () => assert.equal(tellsAge(1000, { ...now, ...numbers }), told));
  }
});

/** A host as a process of its own, which looks for a daemon when it has no descriptors. It gives them back, or not. */
const HOST = `
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createRunaways } from ${JSON.stringify(new URL("../../lib/processes/runaways.ts", import.meta.url).href)};
const [token, givesBack] = process.argv.slice(-2);
const daemon = ["-e", "setInterval(() => {}, 2 ** 30)", "--", token];
spawn(process.execPath, daemon, { detached: true, stdio: "ignore", env: { MAYFLY_PROCESS: token } }).unref();
const said = [];
const log = (fields, message) => said.push([message, fields.err?.code]);
const runaways = createRunaways({ debug: log, info: log, warn: log, error: log });
const taken = [];
// Again and again: what the process has just started with may give some back.
for (let times = 0; times < 10; times += 1) {
  try { for (;;) taken.push(openSync("/dev/null")); } catch {}
  await new Promise((resolve) => setTimeout(resolve, 20));
}
if (givesBack === "true") setTimeout(() => taken.forEach((descriptor) => closeSync(descriptor)), 50);
await runaways.end(token);
process.send(said);
await runaways.end(token);
process.send("again", () => process.disconnect());
`;

/** Says what the host has logged at its first try; the second one must not have to wait long for it. */
async function endWithoutDescriptors(t: TestContext, token: string, givesBack: boolean): Promise<unknown> {
  const words = [process.execPath, "--import", "tsx", "--input-type=module", "-e", HOST];
  const [command = "", ...args] = limited([...words, "--", token, String(givesBack)], 320);
  const host = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  t.after(async () => {
    for (const { pid } of processesWith(token)) process.kill(pid, "SIGKILL");
    await waitUntilGone(token);
  });
  const heard: unknown[] = [];
  host.on("message", (message) => heard.push(message));
  const hasSaid = (count: number) => (): boolean => heard.length >= count || host.exitCode !== null;
  await until(hasSaid(1), { withinMs: 6 * WAIT_MS, label: "the host has tried" });
  await until(hasSaid(2), { withinMs: 1.5 * WAIT_MS, label: "the host has tried again" });
  assert.equal(heard.length, 2, `the host has ended: ${JSON.stringify(heard)}`);
  return heard[0];
}

describe("a host without descriptors", needsProc, () => {
  test("ends what has left its group as soon as it has some again", async (t) => {
    const token = testToken();
    const said = await endWithoutDescriptors(t, token, true);
    assert.deepEqual(said, [["Processes that had left the group of their server were ended", null]]);
    await waitUntilGone(token);
  });

  test("says what it could not do, and lives on", async (t) => {
    const said = await endWithoutDescriptors(t, testToken(), false);
    assert.deepEqual(said, [
      ["Processes that left the group of their server could not be looked for", "EMFILE"],
    ]);
  });
});
