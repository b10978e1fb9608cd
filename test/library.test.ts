import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import ts from "typescript";

import type { BufferedAnswer, LambdaHandlers } from "../lib/adapters/lambda.ts";
import { contextOf, eventV2, sent } from "./lambda/events.ts";
import { browserFetch } from "./support/browser.ts";
import { within } from "./support/deadline.ts";
import { ROOT, codeIn } from "./support/documents.ts";
import { testToken } from "./support/fixture.ts";
import { waitUntilGone } from "./support/processes.ts";
import { startRemote } from "./support/remote.ts";
import { call, post } from "./support/rpc.ts";
import { PEM, tlsFetch } from "./support/tls.ts";

const WAIT_MS = 30_000;
const PACKAGE = '"@modelcontextprotocol/server-everything"';
const HELLO = call("echo", { message: "hello" });
const PAGE = await readFile(join(ROOT, "docs/library.md"), "utf8");
const examples = await codeIn("docs/library.md", "ts");

/** What a running example has printed. */
interface Example {
  readonly process: ChildProcess;
  /** The next line. */
  readonly line: () => Promise<string>;
}

/** Runs the example below the heading as it stands; its servers are marked, and none may be left. */
async function start(
  t: TestContext,
  heading: string,
  filesOf: (token: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<Example> {
  const token = testToken();
  const code = examples.find((example) => example.heading === heading)?.code ?? "";
  const more = filesOf(token);
  const sources = [code, ...Object.values(more)];
  assert.ok(
    sources.some((text) => text.includes(PACKAGE)),
    `there is no example for ${heading}`,
  );
  // Inside the package, so that its name resolves to what was built.
  const folder = join(ROOT, ".cache", "library", token);
  await mkdir(folder, { recursive: true });
  const marked = code.replace(PACKAGE, `${PACKAGE}, "stdio", "--token=${token}"`);
  const files = {
    "example.mjs": marked,
    "cert.pem": PEM.leaf,
    "key.pem": PEM.key,
    "chain.pem": PEM.intermediate,
    ...more,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const options = { cwd: folder, env: { ...process.env, PORT: "0" } };
  const child = spawn(process.execPath, ["example.mjs"], {
    ...options,
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(async () => {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true });
    await waitUntilGone(token, { withinMs: WAIT_MS });
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value } = await within(lines.next(), WAIT_MS, `a line of ${heading}`);
    return String(value);
  };
  return { process: child, line };
}

/** The status of a call of a tool, which must have worked if it is 200. */
async function statusOf(url: string, headers = {}, fetchIt: typeof fetch = fetch): Promise<number> {
  const response = await within(fetchIt(url, post(HELLO, headers)), WAIT_MS, "an answer");
  const text = await within(response.text(), WAIT_MS, "its body");
  if (response.status === 200) assert.match(text, /"text":"Echo: hello"/);
  return response.status;
}

async function endOf({ process }: Example): Promise<unknown> {
  process.kill("SIGTERM");
  const [code] = (await within(once(process, "exit"), WAIT_MS, "the end")) as unknown[];
  return code;
}

test("createHandler calls a tool", async (t) => {
  const { line } = await start(t, "createHandler");
  assert.match(await line(), /"text":"Echo: hello"/);
});

test("serve listens until it is told to stop", async (t) => {
  const example = await start(t, "serve");
  assert.equal(await statusOf(await example.line()), 200);
  assert.equal(await endOf(example), 0);
});

test("parseMcpJson reads a file that other tools have too", async (t) => {
  const example = await start(t, "parseMcpJson", (token) => ({ "mcp.json": sharedFile(token) }));
  assert.equal(await statusOf(await example.line()), 200);
});

function sharedFile(token: string): string {
  return `{
    // One of ours, and two that are left out.
    "inputs": [],
    "mcpServers": {
      "everything": { "command": "npx", "args": ["-y", ${PACKAGE}, "stdio", "--token=${token}"], "type": "stdio" },
      "remote": { "url": "https://example.com/mcp" },
      "off": { "command": "\${NOT_SET}", "disabled": true },
    },
  }`;
}

test("toNodeHandler answers inside of Express, which answers the rest", async (t) => {
  const example = await start(t, "toNodeHandler");
  const url = await example.line();
  assert.equal(await statusOf(url), 401);
  assert.equal(await statusOf(url, { "x-api-key": "change-me" }), 200);
  assert.equal(await (await fetch(new URL("/", url))).text(), "Hello");
  assert.equal(await endOf(example), 0);
});

test("createLambdaHandlers answers an event with a key", async (t) => {
  const token = testToken();
  const folder = join(ROOT, ".cache", "library", token);
  const { code = "" } = examples.find(({ heading }) => heading === "createLambdaHandlers") ?? {};
  await mkdir(folder, { recursive: true });
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(
    join(folder, "example.mjs"),
    code.replace(PACKAGE, `${PACKAGE}, "stdio", "--token=${token}"`),
  );
  process.env["AUTH_KEYS"] = "change-me";
  t.after(() => delete process.env["AUTH_KEYS"]);
  const url = pathToFileURL(join(folder, "example.mjs")).href;
  const { bufferedHandler } = (await import(url)) as LambdaHandlers;
  const answerTo = async (headers: Readonly<Record<string, string>>): Promise<BufferedAnswer> =>
    (await bufferedHandler(eventV2(sent("/mcp", post(HELLO, headers))), contextOf())) as BufferedAnswer;
  assert.equal((await answerTo({})).statusCode, 401);
  assert.match((await answerTo({ "x-api-key": "change-me" })).body, /"text":"Echo: hello"/);
  await waitUntilGone(token, { withinMs: 0 });
});

test("authenticate lets in whom it knows", async (t) => {
  const { line } = await start(t, "authenticate");
  const url = await line();
  assert.equal(await statusOf(url, { "x-token": "token-of-ann" }), 200);
  assert.equal(await statusOf(url, { "x-token": "token-of-eve" }), 401);
});

test("credentials of callers reach the process of their request", async (t) => {
  const { line } = await start(t, "Credentials of callers");
  const url = await line();
  const environmentWith = async (query: string, headers: Readonly<Record<string, string>>): Promise<string> =>
    (await within(fetch(url + query, post(call("get-env"), headers)), WAIT_MS, "an answer")).text();
  const brought = await environmentWith("?tenant=blue", { "x-api-token": "t0ken-of-ann" });
  assert.match(brought, /API_TOKEN\W+t0ken-of-ann/);
  assert.match(brought, /TENANT\W+blue/);
  assert.doesNotMatch(await environmentWith("", {}), /API_TOKEN|TENANT/);
});

test("cors lets the listed pages read", async (t) => {
  const { line } = await start(t, "CORS");
  const url = await line();
  for (const origin of ["http://localhost:6274", "https://app.example.com"]) {
    assert.equal(await statusOf(url, {}, browserFetch({ origin })), 200);
  }
  await assert.rejects(statusOf(url, {}, browserFetch({ origin: "http://localhost:3000" })), TypeError);
});

test("tls serves HTTPS", async (t) => {
  const { line } = await start(t, "TLS");
  const url = await line();
  assert.match(url, /^https:/);
  assert.equal(await statusOf(url, {}, tlsFetch), 200);
});

test("onMessage sees what goes to the server and comes from it", async (t) => {
  const { line } = await start(t, "onMessage");
  assert.equal(await statusOf(await line()), 200);
  const seen: string[] = [];
  while (!seen.at(-1)?.includes("Echo: hello")) seen.push(await line());
  assert.ok(seen.some((text) => text.startsWith("everything in ") && text.includes('"message":"hello"')));
  assert.match(seen.at(-1) ?? "", /^everything out /);
});

test("findRungs names every rung that docs/library.md names", async (t) => {
  const folder = join(ROOT, ".cache", "library", testToken());
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(folder, { recursive: true });
  const code = examples.find(({ heading }) => heading === "findRungs")?.code ?? "";
  await writeFile(join(folder, "example.mjs"), code);
  const running = promisify(execFile)(process.execPath, ["example.mjs"], { cwd: folder });
  const { stdout } = await within(running, 2 * WAIT_MS, "findRungs");
  const [, named = ""] = /^The rungs are (.+?), in this order/m.exec(PAGE) ?? [];
  const names = [...named.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  const found = stdout
    .trim()
    .split("\n")
    .map((line) => /^(?:holds|does not hold) (\S+) \S/.exec(line)?.[1]);
  assert.deepEqual(found, names);
  assert.match(stdout, /^holds cpu /m);
});

test("connect is a local server that is the remote one", async (t) => {
  const remote = await startRemote(t);
  const folder = join(ROOT, ".cache", "library", testToken());
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(folder, { recursive: true });
  const code = examples.find(({ heading }) => heading === "connect")?.code ?? "";
  await writeFile(join(folder, "example.mjs"), code);
  const client = new Client({ name: "a client", version: "1" });
  t.after(() => client.close());
  const env = { REMOTE_URL: remote.url, REMOTE_TOKEN: "t0ken" };
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ["example.mjs"],
    cwd: folder,
    env,
  });
  await within(client.connect(transport), WAIT_MS, "a connection");
  const { content } = await within(client.callTool({ name: "count" }), WAIT_MS, "a result");
  assert.deepEqual(content, [{ type: "text", text: "1" }]);
  assert.deepEqual(remote.credentials, new Set(["authorization: Bearer t0ken"]));
});

test("every example is right for the compiler, strictly", async (t) => {
  const folder = join(ROOT, ".cache", "library", testToken());
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(folder, { recursive: true });
  const files = examples.map(({ heading }) => join(folder, `${heading}.mts`.replaceAll(" ", "-")));
  for (const [index, { code }] of examples.entries()) await writeFile(files[index] ?? "", code);
  const program = ts.createProgram(files, STRICT);
  const told = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    return `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
  assert.deepEqual(told, []);
});

const STRICT: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ["node"],
  skipLibCheck: true,
  noEmit: true,
};

test("every example is among these", () => {
  const headings = [
    ...["createHandler", "serve", "parseMcpJson", "toNodeHandler", "createLambdaHandlers"],
    ...["authenticate", "Credentials of callers", "CORS", "TLS", "onMessage", "findRungs", "connect"],
  ];
  assert.deepEqual(examples.map(({ heading }) => heading).slice(0, headings.length), headings);
});

test("sessions are announced, with the transport that they use", async (t) => {
  const { line } = await start(t, "onConnect");
  const url = await line();
  const stream = await within(fetch(`${url}/sse`), WAIT_MS, "a stream");
  const [came, ...connected] = (await line()).split(" ");
  await stream.body?.cancel();
  const [left, ...disconnected] = (await line()).split(" ");
  assert.deepEqual([came, left], ["came", "left"]);
  assert.deepEqual(connected.slice(0, 2), ["sse", "anonymous"]);
  assert.equal(connected[2], disconnected[1]);
});
