import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";

import { ConfigurationError, parseMcpJson } from "../../lib/index.ts";
import type { HandlerOptions } from "../../lib/index.ts";
import { MayflyError } from "../../lib/errors.ts";
import { snapshotText } from "../../lib/snapshot/format.ts";
import type { Snapshot } from "../../lib/snapshot/format.ts";
import { recordServer } from "../../lib/snapshot/record-server.ts";
import { within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { fixture } from "../support/fixture.ts";
import { waitUntilGone } from "../support/processes.ts";

const WAIT_MS = 30_000;

async function recordingOf(
  name: string,
  more: readonly string[] = [],
  options: Partial<HandlerOptions> = {},
): Promise<Snapshot> {
  const { command, args, token } = fixture(name, ...more);
  try {
    const recording = recordServer("only", { mcpServers: { only: { command, args } }, ...options });
    const { snapshot, startMs } = await within(recording, WAIT_MS, "a recording");
    assert.ok(startMs > 0 && startMs < WAIT_MS);
    return snapshot;
  } finally {
    await waitUntilGone(token, { label: "recording leaves no process" });
  }
}

const cursorsOf = ({ legacy }: Snapshot, method: string): unknown[] =>
  (legacy["2025-11-25"]?.lists[method] ?? []).map(({ cursor }) => cursor);

describe("a recording", () => {
  test("has every page of a list, each under its cursor", async () => {
    assert.deepEqual(cursorsOf(await recordingOf("lists-tools"), "tools/list"), [undefined, "2", "3"]);
  });

  test("ends where a list leads back to itself, and after 100 pages", async () => {
    assert.deepEqual(cursorsOf(await recordingOf("lists-pages", ["--pages=2"]), "tools/list"), [
      undefined,
      "1",
      "0",
    ]);
    assert.equal(cursorsOf(await recordingOf("lists-pages", ["--pages=1000"]), "tools/list").length, 100);
  });

  test("has no error but that of a method which is not there", async () => {
    const { legacy } = await recordingOf("lists-pages", ["--pages=2", "--fails=prompts/list"]);
    const lists = legacy["2025-11-25"]?.lists ?? {};
    assert.deepEqual(Object.keys(lists), ["tools/list", "resources/list", "resources/templates/list"]);
    assert.match(lists["resources/list"]?.[0]?.answer ?? "", /-32601/);
  });

  test("does without a list that is not declared, and that nothing comes for", async () => {
    const options = { requestTimeoutMs: 10_000 };
    const { legacy } = await recordingOf("lists-pages", ["--pages=2", "--silent=prompts/list"], options);
    assert.deepEqual(Object.keys(legacy["2024-11-05"]?.lists ?? {}), ["tools/list"]);
  });

  test("is the same each time", async () => {
    const { command, args } = fixture("lists-tools");
    const options = { mcpServers: { only: { command, args } } };
    const texts = await Promise.all(
      [1, 2].map(async () => snapshotText((await recordServer("only", options)).snapshot)),
    );
    assert.equal(texts[0], texts[1]);
  });

  test("runs another command for the same server", async () => {
    const [one, other] = [fixture("lists-tools"), fixture("lists-odd-tool")];
    const options = { mcpServers: { only: { command: one.command, args: one.args } } };
    const plain = await recordServer("only", options);
    const { snapshot } = await recordServer("only", options, { command: other.command, args: other.args });
    assert.deepEqual(snapshot.key, plain.snapshot.key);
    assert.match(snapshotText(snapshot), /\\"odd\\"/);
    for (const { token } of [one, other]) await waitUntilGone(token);
  });

  test("names the variable whose value the server lists, however it came to know it", async (t) => {
    const secret = 's3cret-"quoted"-value';
    const variables = { SNAPSHOT_TEST_SECRET: secret };
    Object.assign(process.env, variables);
    t.after(() => delete process.env["SNAPSHOT_TEST_SECRET"]);
    const file = join(await temporaryFolder(t), "tool");
    await writeFile(file, `tool ${secret}`);
    const { command, args, token } = fixture("lists-what-a-file-says", `--file=${file}`);
    const text = (env: object): string => JSON.stringify({ mcpServers: { only: { command, args, env } } });
    const exposed = async (env: object, passEnv: readonly string[] = []): Promise<unknown> => {
      const options = { ...parseMcpJson(text(env), "mcp.json", variables), passEnv };
      return (await recordServer("only", options)).exposed;
    };
    assert.equal(await exposed({ KEY: "a ${SNAPSHOT_TEST_SECRET}" }), "SNAPSHOT_TEST_SECRET");
    assert.equal(await exposed({}, ["SNAPSHOT_TEST_*"]), "SNAPSHOT_TEST_SECRET");
    assert.equal(await exposed({ KEY: secret }), "KEY");
    assert.equal(await exposed({ KEY: "another-value" }), undefined);
    await waitUntilGone(token);
  });
});

describe("a server that cannot be recorded is named with the reason:", () => {
  const rows: readonly (readonly [name: string, reason: RegExp])[] = [
    ["crashes-at-start", /ended with exit code 3 before it answered initialize/],
    ["refuses-initialize", /refused to initialize: no handshake today/],
    ["silent", /1000 milliseconds/],
  ];
  for (const [name, reason] of rows) {
    test(name, async () => {
      const recording = recordingOf(name, [], { startTimeoutMs: 1000 });
      await assert.rejects(recording, (error) => error instanceof MayflyError && reason.test(error.message));
    });
  }

  test("a program that is not there", async () => {
    const recording = recordServer("only", { mcpServers: { only: { command: "no-such-program-anywhere" } } });
    await assert.rejects(recording, /ENOENT/);
  });

  test("one that is not configured", async () => {
    await assert.rejects(
      recordServer("other", { mcpServers: { only: { command: "x" } } }),
      /no server named/,
    );
    await assert.rejects(recordServer("only", { mcpServers: {} }), ConfigurationError);
  });
});
