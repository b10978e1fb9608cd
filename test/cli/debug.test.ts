import assert from "node:assert/strict";
import { test } from "node:test";

import { startServing } from "../support/command.ts";
import { until, within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { call, post } from "../support/rpc.ts";

const WAIT_MS = 15_000;

const SECRETS = {
  configured: 'quo"ted\\configured',
  passed: "päss-ed on\twith tab",
  key: "k3y-of-the-door",
  state: "a state secret of 32 characters or more",
  byUrl: "from/the-url",
};

interface Entry {
  readonly msg: string;
  readonly level: number;
  readonly server?: string;
  readonly direction?: string;
  readonly message?: string;
}

/** As Python writes JSON. */
function ascii(text: string): string {
  return text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The pieces of a secret that must not be seen: every writing of JSON leaves these alone. */
const PIECES = ["ted\\", "configured", "ss-ed on", "with tab", "of-the-door", "state secret", "the-url"];

for (const words of [["--debug"], ["--log-level", "debug"], ["--log-level", "DEBUG"]]) {
  test(`${words.join(" ")} shows both sides of the conversation, with secrets masked`, async (t) => {
    const { command, args, token } = fixture("environment");
    const given = [
      "-e",
      `GIVEN=${SECRETS.configured}`,
      "--pass-env",
      "PASSED",
      "--allow-env",
      "BY_URL",
      ...words,
    ];
    const env = { PASSED: SECRETS.passed, AUTH_KEY: SECRETS.key, STATE_SECRET: SECRETS.state };
    const { url, stderr } = await startServing(t, [...given, "--", command, ...args], { env, token });
    const quoted = ascii(
      JSON.stringify(call("environment", { all: Object.values(SECRETS), plain: "shown" })),
    );
    const headers = { "x-api-key": SECRETS.key };
    const response = await within(
      fetch(`${url}/mcp?BY_URL=${SECRETS.byUrl}`, post(quoted, headers)),
      WAIT_MS,
      "an answer",
    );
    const answer = await response.text();
    assert.ok(answer.includes("configured"), "the client gets what the server says");
    const entries = (): Entry[] =>
      stderr()
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Entry);
    const shown = (): Entry[] =>
      entries().filter(({ msg, message }) => msg === "message" && message?.includes("shown"));
    await until(() => shown().length > 0, { withinMs: WAIT_MS, label: stderr });
    const messages = entries().filter(({ msg }) => msg === "message");
    assert.deepEqual(
      new Set(messages.map(({ direction }) => direction)),
      new Set(["to server", "from server"]),
    );
    assert.deepEqual(
      new Set(messages.map(({ server, level }) => `${server} ${level}`)),
      new Set(["default 20"]),
    );
    assert.match(
      shown()[0]?.message ?? "",
      /"all":\["\*\*\*","\*\*\*","\*\*\*","\*\*\*","\*\*\*"\],"plain":"shown"/,
    );
    assert.ok(
      messages.some(({ message }) => message?.includes(String.raw`\"GIVEN\":\"***\"`)),
      stderr(),
    );
    for (const piece of PIECES) assert.ok(!stderr().includes(piece), `the log shows ${piece}`);
  });
}

test("other levels show no message", async (t) => {
  const { command, args, token } = fixture("echo");
  const { url, stderr } = await startServing(t, ["--", command, ...args], { token });
  const response = await within(
    fetch(`${url}/mcp`, post(call("echo", { a: "shown" }))),
    WAIT_MS,
    "an answer",
  );
  assert.match(await response.text(), /shown/);
  await until(() => stderr().includes('"tool":"echo"'), { withinMs: WAIT_MS, label: stderr });
  assert.doesNotMatch(stderr(), /shown/);
});
