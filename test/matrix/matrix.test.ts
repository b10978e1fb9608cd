import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { within } from "../support/deadline.ts";
import { temporaryFolder, waitForLine } from "../support/files.ts";
import { waitUntilGone } from "../support/processes.ts";
import { WAIT_MS, connect, gone, look } from "./bench.ts";
import type { Cell, InputMode } from "./bench.ts";
import { CHILDREN, TOOLS } from "./children.ts";
import type { ChildKind } from "./children.ts";
import { CLIENTS } from "./clients.ts";
import type { ClientKind, ToolResult } from "./clients.ts";

const MODES: readonly InputMode[] = ["refuse", "rerun", "hold"];
const CELLS: readonly Cell[] = CLIENTS.flatMap((client) => CHILDREN.map((child) => ({ client, child })));

for (const cell of CELLS) {
  const { client, child } = cell;
  describe(`${client.title}, in front of a ${child.name} server,`, () => {
    test("connects and lists the tools", async (t) => {
      const { connected } = await connect(t, cell);
      assert.equal(connected.protocolVersion, client.protocolVersion);
      assert.equal(connected.serverName, child.name);
      const tools = await within(connected.listTools(), WAIT_MS, "tools/list");
      assert.deepEqual(tools.map(({ name }) => name).toSorted(), TOOLS);
      const echo = connected.call("echo", { message: "hello" });
      assert.equal(textOf(await within(echo, WAIT_MS, "tools/call")), "hello");
    });

    test("hears of progress before the result", async (t) => {
      const { connected } = await connect(t, cell);
      const gate = join(await temporaryFolder(t), "step-");
      const seen: number[] = [];
      // What is not heard of before the result keeps that from coming.
      const onprogress = ({ progress }: { readonly progress: number }): void => {
        seen.push(progress);
        writeFileSync(gate + progress, "");
      };
      const call = connected.call("progress", { gate }, { onprogress });
      assert.equal(textOf(await within(call, WAIT_MS, "progress and result")), "3 steps done");
      assert.deepEqual(seen, [1, 2, 3]);
    });

    test("gets structured output that its own validation accepts", async (t) => {
      const { connected } = await connect(t, cell);
      const tools = await within(connected.listTools(), WAIT_MS, "tools/list");
      const schema = tools.find(({ name }) => name === "structured")?.outputSchema;
      const expected = structuredFor(cell);
      assert.equal(schema?.["type"], Array.isArray(expected) ? "array" : "object");
      const result = await within(connected.call("structured"), WAIT_MS, "tools/call");
      assert.deepEqual(result.structuredContent, expected);
      assert.deepEqual(JSON.parse(textOf(result)), child.structured);
    });

    test("is told that a tool is unknown, in the way of the server's SDK", async (t) => {
      const { connected } = await connect(t, cell);
      const outcome = await outcomeOf(connected.call("no-such-tool"));
      const code = child.unknownTool === "error" ? -32602 : undefined;
      assert.deepEqual([outcome.failed, outcome.code], [child.unknownTool, code]);
      assert.match(outcome.text, /no-such-tool not found/);
    });

    test("ends the process by aborting its call", async (t) => {
      const { connected, token } = await connect(t, cell);
      const file = join(await temporaryFolder(t), "log");
      const leaving = new AbortController();
      const call = connected.call("slow", { file }, { signal: leaving.signal });
      const failed = assert.rejects(within(call, WAIT_MS, "the end of the call"), /changed my mind/);
      await waitForLine(file, /^started/, { withinMs: WAIT_MS });
      leaving.abort("changed my mind");
      await failed;
      await waitUntilGone(token);
      await waitForLine(file, /^aborted/);
    });

    for (const mode of MODES) {
      const title = isAsked(cell, mode) ? "is asked, and the call completes" : "is not asked, and is told so";
      test(`${title}, where input is "${mode}"`, async (t) => {
        await (isAsked(cell, mode) ? asks(t, cell, mode) : refuses(t, cell, mode));
      });
    }
  });
}

for (const client of CLIENTS.filter(isModern)) {
  const [child] = CHILDREN as readonly [ChildKind, ...ChildKind[]];
  test(`${client.title} is asked twice by a ${child.name} server, through three processes`, async (t) => {
    const bench = await connect(t, { client, child }, "rerun", gone);
    bench.received.length = 0;
    const result = await within(bench.connected.call("ask-two"), WAIT_MS, "ask-two");
    assert.deepEqual(bench.asked, ["What is your name?", "How old are you?"]);
    const { name, age } = JSON.parse(textOf(result)) as Record<string, unknown>;
    assert.deepEqual([name, age], ["Ada", 36]);
    assert.equal(bench.received.filter((method) => method === "initialize").length, 3);
    assert.equal(bench.received.filter((method) => method === "tools/call").length, 3);
  });
}

/** Asks once. Where nothing is held, no process waits for the answer; else the one that asked does. */
async function asks(t: TestContext, cell: Cell, mode: InputMode): Promise<void> {
  const { connected, asked, alive } = await connect(t, cell, mode, mode === "rerun" ? gone : look);
  const result = await within(connected.call("ask"), WAIT_MS, "ask");
  assert.deepEqual(asked, ["What is your name?"]);
  const { name, pid } = JSON.parse(textOf(result)) as { name?: unknown; pid?: number };
  assert.equal(name, "Ada");
  if (mode === "hold" && keepsProcess(cell)) assert.deepEqual(alive, [pid]);
}

async function refuses(t: TestContext, cell: Cell, mode: InputMode): Promise<void> {
  const { connected, asked } = await connect(t, cell, mode);
  const outcome = await outcomeOf(connected.call("ask"));
  assert.notEqual(outcome.failed, "not", outcome.text);
  assert.match(outcome.text, /elicitation|client input/i);
  assert.deepEqual(asked, []);
}

function isAsked({ client }: Cell, mode: InputMode): boolean {
  return mode === "hold" || (mode === "rerun" && isModern(client));
}

/** A modern server gets the answer in a second request: for a legacy client, no rule says by which process. */
function keepsProcess({ client, child }: Cell): boolean {
  return isModern(client) || child.name !== "modern-only";
}

function isModern({ protocolVersion }: ClientKind): boolean {
  return protocolVersion === "2026-07-28";
}

/** Where a legacy client needs an object, an array is wrapped: by a server of both eras, or by Mayfly. */
function structuredFor({ client, child }: Cell): unknown {
  const { structured } = child;
  return isModern(client) || !Array.isArray(structured) ? structured : { result: structured };
}

interface Outcome {
  readonly failed: "not" | "result" | "error";
  readonly text: string;
  /** Of the error, as the client gives it. */
  readonly code?: unknown;
}

async function outcomeOf(call: Promise<ToolResult>): Promise<Outcome> {
  try {
    const result = await within(call, WAIT_MS, "tools/call");
    return { failed: result.isError === true ? "result" : "not", text: textOf(result) };
  } catch (error) {
    return { failed: "error", text: String(error), code: (error as { code?: unknown }).code };
  }
}

function textOf({ content }: ToolResult): string {
  return content[0]?.text ?? "";
}
