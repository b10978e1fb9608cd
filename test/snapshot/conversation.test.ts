import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import { once } from "../../lib/promises.ts";
import { CHILDREN, configOf } from "../matrix/children.ts";
import { CLIENTS, LEGACY_SECOND } from "../matrix/clients.ts";
import { within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import type { Scope } from "../support/files.ts";
import { fixture } from "../support/fixture.ts";
import { modern, modernCall } from "../support/modern.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, initialize, notification, post, request } from "../support/rpc.ts";
import { sharedScope } from "../support/shared-scope.ts";
import { build, real } from "./recorded.ts";
import type { Built } from "./recorded.ts";

const WAIT_MS = 20_000;

/** An adapter over a server that was built, and what its log says of the requests that a process has answered. */
interface Watched {
  readonly url: URL;
  /** Methods, in the order of their answers. */
  readonly byProcess: () => string[];
}

interface Line {
  readonly method?: string;
  readonly snapshot?: boolean;
}

async function adapterOver(t: TestContext, { options, token }: Built): Promise<Watched> {
  const lines: Line[] = [];
  const note = (fields: object, message: string): void => void (message === "request" && lines.push(fields));
  const logger = { debug: note, info: note, warn: note, error: note };
  const server = await serve({ ...options, port: 0, logger });
  t.after(async () => {
    await waitUntilGone(token);
    await within(server.close(0), WAIT_MS, "the adapter closes");
  });
  const byProcess = (): string[] =>
    lines.filter(({ snapshot }) => snapshot !== true).map(({ method = "" }) => method);
  return { url: new URL(`${server.url}/mcp`), byProcess };
}

interface Noted {
  readonly built: Built;
  /** Since the last look. */
  readonly starts: () => Promise<number>;
}

/** The fixture that notes its starts in a file. */
async function buildNoted(scope: Scope): Promise<Noted> {
  const file = join(await temporaryFolder(scope), "starts");
  const { command, args } = fixture("notes-its-start");
  const [program = ""] = args;
  let before = 0;
  const starts = async (): Promise<number> => {
    const all = (await readFile(file, "utf8")).split("\n").length - 1;
    const since = all - before;
    before = all;
    return since;
  };
  const config = (token: string) => ({ command, args: [program, `--token=${token}`, `--file=${file}`] });
  const built = await build(scope, config);
  assert.ok((await starts()) > 2, "it was recorded by processes");
  return { built, starts };
}

const nobody = (): never => assert.fail("nobody is asked");

describe("to connect, to list and to call two tools starts exactly two processes:", () => {
  const clients = [...CLIENTS, LEGACY_SECOND];
  // Each server is recorded once, for all its clients.
  const scope = sharedScope();
  after(() => scope.end());
  const noted = once(() => buildNoted(scope));
  const everything = once(() => build(scope, real("server-everything", "stdio")));
  const children = CHILDREN.filter(({ name }) => name !== "legacy-only").map((child) => ({
    name: child.name,
    built: once(() => build(scope, (token) => configOf(child, token))),
  }));
  for (const client of clients) {
    test(`${client.title}, with a server that notes its starts`, async (t) => {
      const { built, starts } = await noted();
      const { url, byProcess } = await adapterOver(t, built);
      const connected = await within(client.connect(url, nobody), WAIT_MS, "connect");
      t.after(() => connected.close());
      assert.deepEqual(
        (await within(connected.listTools(), WAIT_MS, "tools/list")).map(({ name }) => name),
        ["ok", "wait"],
      );
      assert.equal(await starts(), 0, "nothing was started before a call");
      for (const name of ["ok", "ok"]) await within(connected.call(name), WAIT_MS, "tools/call");
      assert.equal(await starts(), 2);
      assert.deepEqual(byProcess(), ["tools/call", "tools/call"]);
    });
  }

  // One of each SDK, of each era.
  for (const client of clients.slice(0, 2)) {
    test(`${client.title}, with server-everything`, async (t) => {
      const { url, byProcess } = await adapterOver(t, await everything());
      const connected = await within(client.connect(url, nobody), WAIT_MS, "connect");
      t.after(() => connected.close());
      const tools = await within(connected.listTools(), WAIT_MS, "tools/list");
      assert.ok(tools.some(({ name }) => name === "echo"));
      for (const message of ["one", "two"]) {
        const { content } = await within(connected.call("echo", { message }), WAIT_MS, "tools/call");
        assert.match(content[0]?.text ?? "", new RegExp(message));
      }
      assert.deepEqual(byProcess(), ["tools/call", "tools/call"]);
    });

    for (const { name, built } of children) {
      test(`${client.title}, with a ${name} server`, async (t) => {
        const { url, byProcess } = await adapterOver(t, await built());
        const connected = await within(client.connect(url, nobody), WAIT_MS, "connect");
        t.after(() => connected.close());
        assert.equal(connected.serverName, name);
        await within(connected.listTools(), WAIT_MS, "tools/list");
        for (const message of ["one", "two"])
          await within(connected.call("echo", { message }), WAIT_MS, "call");
        assert.deepEqual(byProcess(), ["tools/call", "tools/call"]);
      });
    }
  }

  const legacy = { "mcp-protocol-version": "2025-11-25" };
  const conversations: Readonly<Record<string, readonly RequestInit[]>> = {
    "a legacy client by hand": [
      post(initialize()),
      post(notification("notifications/initialized"), legacy),
      post(request("tools/list", {}, 2), legacy),
      post(call("ok", {}, { id: 3 }), legacy),
      post(call("ok", {}, { id: 4 }), legacy),
    ],
    "a modern client by hand": [
      modern("server/discover"),
      modern("tools/list", {}, { id: 2 }),
      modernCall("ok", {}, { id: 3 }),
      modernCall("ok", {}, { id: 4 }),
    ],
    "curl, which sends a header less": [
      post(request("tools/list"), { accept: "*/*" }),
      post(call("ok"), { accept: "*/*" }),
      post(call("ok"), { accept: "*/*" }),
    ],
  };
  for (const [title, requests] of Object.entries(conversations)) {
    test(title, async (t) => {
      const { built, starts } = await noted();
      const { url, byProcess } = await adapterOver(t, built);
      for (const init of requests) {
        const response = await within(fetch(url, init), WAIT_MS, "an answer");
        assert.ok(response.ok, String(response.status));
        assert.doesNotMatch(await response.text(), /"error"/);
      }
      assert.equal(await starts(), 2);
      assert.deepEqual(byProcess(), ["tools/call", "tools/call"]);
    });
  }
});
