import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import type { ServerConfig } from "../lib/index.ts";
import { within } from "./support/deadline.ts";
import { readAll, readEvents } from "./support/event-stream.ts";
import type { Frame } from "./support/event-stream.ts";
import { temporaryFolder, waitForLine } from "./support/files.ts";
import { bigText, testToken } from "./support/fixture.ts";
import { modern, modernCall } from "./support/modern.ts";
import { processesWith, waitUntilGone } from "./support/processes.ts";
import { call, initialize, notification, post, request } from "./support/rpc.ts";

/** Where the behaviour runs. */
export interface Platform {
  /** As fetch, with the path in place of the URL. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Resolves when the platform may freeze or end this host; tells what would still be running. */
  settled(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** What a platform cannot do, by the reason. Its tests are skipped, and say so. */
export interface Without {
  /** It does not tell when a client has gone. */
  readonly lostClients?: string;
  /** An answer is sent in one piece. */
  readonly streams?: string;
  /** An answer cannot have twenty megabytes. */
  readonly largeAnswers?: string;
  /** An answer is sent when its process has ended. */
  readonly earlyAnswers?: string;
}

export const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), "fixtures", "servers");

/** What the operator lets and does not let callers do. */
const ALLOWED: Readonly<Record<string, Partial<ServerConfig>>> = {
  environment: { allowEnv: ["CALLER_TOKEN"], envFrom: { CALLER_KEY: "header:x-caller-key" } },
  "lists-tools": { tools: { deny: ["delete_*"] } },
};

/** Each as short as what is tried there, which must not be taken for a slow start. */
const LIMITS: Readonly<Record<string, Partial<ServerConfig>>> = {
  silent: { startTimeoutMs: 1000 },
  "silent-in-call": { requestTimeoutMs: 400 },
};

const NAMES = [
  "asks-client",
  "big",
  "chatty-at-start",
  "closes-stdout",
  "counter",
  "crashes-at-start",
  "crashes-in-call",
  "declares-everything",
  "echo",
  "environment",
  "exits-leaving-grandchild",
  "ignores-sigterm",
  "killed-in-call",
  "legacy-asks",
  "legacy-watches",
  "lists-tools",
  "modern-only",
  "noisy",
  "progress",
  "refuses-initialize",
  "silent",
  "silent-in-call",
  "slow",
  "spawns-grandchild",
  "split-utf8",
  "verbatim",
];

/** For the server that asks. */
export const STATE_SECRET = "a secret of the tests that is long enough";

/**
 * One server for each behaviour. All carry the token, by which their processes are found.
 * @param inputMode of the server that asks
 */
export function contractServers(
  folder: string,
  token: string,
  inputMode: ServerConfig["inputMode"] & {} = "rerun",
): Record<string, ServerConfig> {
  const servers = NAMES.map((name): [string, ServerConfig] => {
    const args = [join(folder, `${name}.mjs`), `--token=${token}`];
    const limits = LIMITS[name] ?? {};
    const input = name === "legacy-asks" ? { inputMode } : {};
    const env = { SECRET_TOKEN: "s3cret-value" };
    return [name, { command: process.execPath, args, env, ...limits, ...input, ...ALLOWED[name] }];
  });
  const missing: ServerConfig = { command: "no-such-program-anywhere" };
  return { ...Object.fromEntries(servers), missing };
}

interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: { readonly reason?: string };
}

interface Answer {
  readonly id?: unknown;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: RpcError;
}

const ANYTHING = { accept: "*/*" };
const JSON_ONLY = { accept: "application/json" };

/** The behaviour that every platform shares. `open` gets the token that the platform's servers must carry. */
export function contract(
  name: string,
  open: (token: string) => Promise<Platform>,
  without: Without = {},
): void {
  describe(name, { concurrency: false }, () => {
    const token = testToken();
    let platform: Platform;
    before(async () => {
      platform = await open(token);
    });
    after(async () => {
      await platform.stop();
      await waitUntilGone(token, { label: "no process is left when the host has stopped" });
    });

    const send = (server: string, body: object | string, headers: Record<string, string> = ANYTHING) =>
      within(platform.fetch(`/mcp/${server}`, post(body, headers)), 20_000, `an answer of ${server}`);
    const ask = async (server: string, body: object, headers?: Record<string, string>): Promise<Answer> =>
      (await (await send(server, body, headers)).json()) as Answer;
    const toolText = async (server: string, body: object, headers?: Record<string, string>) =>
      textOf(await ask(server, body, headers));
    const nothingIsLeft = async (): Promise<void> => {
      await waitUntilGone(token, { withinMs: 3000 });
      assert.deepEqual(await platform.settled(), []);
    };

    test("a bare tools/call without a handshake is answered as one JSON body", async () => {
      const response = await send("echo", call("echo", { a: 1 }, { id: "x" }));
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/json");
      const { id, result } = (await response.json()) as Answer;
      assert.equal(id, "x");
      assert.deepEqual(result?.["content"], [{ type: "text", text: '{"name":"echo","arguments":{"a":1}}' }]);
      await nothingIsLeft();
    });

    test("every request meets a process that has seen no other", async () => {
      const answers = await Promise.all(Array.from({ length: 6 }, () => toolText("counter", call("count"))));
      assert.deepEqual(answers, ["1", "1", "1", "1", "1", "1"]);
      await nothingIsLeft();
    });

    test(
      "progress arrives while the tool runs, each message in its own chunk",
      { skip: without.streams ?? false },
      async (t) => {
        const gate = join(await temporaryFolder(t), "step-");
        const meta = { progressToken: "p" };
        const response = await send("progress", call("progress", { steps: 3, gate }, { meta }));
        assert.equal(response.headers.get("content-type"), "text/event-stream");
        assert.equal(response.headers.get("cache-control"), "no-store, no-transform");
        assert.equal(response.headers.get("x-accel-buffering"), "no");
        const frames = await within(readStepByStep(response, gate), 20_000, "all steps");
        const methods = frames.map(({ data }) => (JSON.parse(data ?? "") as { method?: string }).method);
        const progress = "notifications/progress";
        assert.deepEqual(methods, ["notifications/message", progress, progress, progress, undefined]);
        assert.ok(frames.every(({ lines }) => lines.length === 2 && lines[0] === "event: message"));
        await nothingIsLeft();
      },
    );

    test("a client that reads only JSON gets the answer without notifications", async () => {
      const meta = { progressToken: 1 };
      const answer = await ask("progress", call("progress", { delayMs: 1 }, { meta }), JSON_ONLY);
      assert.equal(textOf(answer), "3 steps done");
    });

    test("what Mayfly does not have to change passes byte for byte, both ways", async () => {
      const line =
        '{"jsonrpc":"2.0", "id":"@id","result":{"content":[{"type":"hologram","x":9007199254740993}],' +
        '"inputRequests":{"q":1.10},"é\u2028\u2029":"\\u2028😀"},"extra":-0}';
      const response = await send("verbatim", call("any", { line }, { id: 7 }));
      assert.equal(await response.text(), line.replace('"@id"', "7"));
      const body =
        '{\n"id":9007199254740993,"jsonrpc":"2.0",\r\n"method":"tools/call", "params":{"name":"received"}}';
      const { result } = (await (await send("echo", body)).json()) as Answer;
      const lines = JSON.parse(textOf({ result: result ?? {} })) as string[];
      assert.equal(lines.at(-1), body.replace(/[\r\n]/g, " "));
    });

    test(
      "a character split over reads, and twenty megabytes, arrive whole",
      { skip: without.largeAnswers ?? false },
      async () => {
        assert.equal(await toolText("split-utf8", call("any")), "aé€😀z");
        const bytes = 20 * 1024 * 1024;
        assert.ok((await toolText("big", call("big", { bytes }))) === bigText(bytes), "the big text differs");
        await nothingIsLeft();
      },
    );

    test("initialize is answered by the server, without what outlives a request", async () => {
      const response = await send("declares-everything", initialize({ protocolVersion: "2025-06-18" }));
      const text = await response.text();
      assert.match(text, /"example.com\/serial":9007199254740993/);
      const { result } = JSON.parse(text) as Answer;
      assert.equal(result?.["protocolVersion"], "2025-06-18");
      assert.deepEqual(result?.["capabilities"], {
        tools: {},
        prompts: {},
        resources: {},
        logging: {},
        completions: {},
        experimental: { "example.com/trial": { on: true } },
        extensions: { "example.com/extension": { level: 2 } },
        "example.com/unknown": { kept: true },
      });
      await nothingIsLeft();
    });

    test("the session token brings the client's own handshake to every later process", async () => {
      const clientInfo = { name: "my-agent", version: "3.1" };
      const capabilities = { sampling: {}, roots: {}, elicitation: {}, experimental: { trial: { n: 1 } } };
      const first = await send(
        "echo",
        initialize({ protocolVersion: "2024-11-05", clientInfo, capabilities }),
      );
      await first.text();
      const token_ = first.headers.get("mcp-session-id") ?? "";
      const handshake = await toolText("echo", call("handshake"), { ...ANYTHING, "mcp-session-id": token_ });
      const crossing = { experimental: { trial: { n: 1 } } };
      assert.deepEqual(JSON.parse(handshake), {
        protocolVersion: "2024-11-05",
        clientInfo,
        capabilities: crossing,
      });
      const forged = await send("echo", call("handshake"), { ...ANYTHING, "mcp-session-id": "1.!!!" });
      assert.equal(forged.status, 404);
    });

    test("without a token the version of the header is replayed, or 2025-03-26", async () => {
      const versionSeen = async (headers: Record<string, string>): Promise<unknown> => {
        const text = await toolText("echo", call("handshake"), { ...ANYTHING, ...headers });
        return (JSON.parse(text) as { protocolVersion: unknown }).protocolVersion;
      };
      assert.equal(await versionSeen({ "mcp-protocol-version": "2025-11-25" }), "2025-11-25");
      assert.equal(await versionSeen({ "mcp-session-id": "a-gateway-made-this" }), "2025-03-26");
    });

    test("a server's own requests are answered here: ping with a result, others with an error", async () => {
      const [ping, elicitation] = JSON.parse(await toolText("asks-client", call("any"))) as [Answer, Answer];
      assert.deepEqual(ping.result, {});
      assert.equal(elicitation.error?.code, -32601);
    });

    test("notifications about anything but the request stay behind", async () => {
      const frames = await readAll(await send("chatty-at-start", call("any")));
      const texts = frames.map(({ data = "" }) => /(?:before|after) [^"]*|result/.exec(data)?.[0] ?? data);
      // What the server says between the handshake and the call may arrive when the call is already on its way.
      const certain = texts.filter((text) => text !== "after initialize is answered");
      assert.deepEqual(certain, ["before the call is answered", "result"]);
    });

    test("noise on stdout does not disturb an answer", async () => {
      assert.equal(await toolText("noisy", call("any")), "ok");
    });

    test("a batch is run by one process and answered as one array", async () => {
      const batch = [
        call("count", {}, { id: 1 }),
        request("ping", undefined, "p"),
        call("count", {}, { id: 2 }),
      ];
      const answers = (await ask("counter", [
        ...batch,
        notification("notifications/x"),
      ])) as unknown as Answer[];
      const byId = new Map(answers.map((answer) => [answer.id, answer]));
      assert.deepEqual(new Set(byId.keys()), new Set([1, 2, "p"]));
      assert.deepEqual([textOf(byId.get(1) ?? {}), textOf(byId.get(2) ?? {})].toSorted(), ["1", "2"]);
    });

    const failures = [
      ["crashes-at-start", "exited", /ended with exit code 3 before it answered initialize/],
      ["crashes-in-call", "exited", /ended with exit code 7 before it answered tools\/call/],
      ["killed-in-call", "exited", /ended with SIGKILL before it answered tools\/call/],
      ["exits-leaving-grandchild", "exited", /ended with exit code \d+ before it answered tools\/call/],
      ["closes-stdout", "protocol", /closed its output before it answered tools\/call/],
      ["silent", "timeout", /was not ready for tools\/call within 1000 milliseconds/],
      ["silent-in-call", "timeout", /did not answer tools\/call within 400 milliseconds/],
      ["refuses-initialize", "protocol", /refused to initialize: no handshake today/],
      ["missing", "spawn_failed", /could not be started \(ENOENT: no such program\)/],
    ] as const;
    for (const [server, reason, message] of failures) {
      test(`a server that ${server} gives one clear error and leaves nothing behind`, async () => {
        const response = await send(server, call("any", {}, { id: 9 }));
        assert.equal(response.status, 200);
        const text = await response.text();
        const { id, error } = JSON.parse(text) as Answer;
        assert.deepEqual(
          { id, code: error?.code, reason: error?.data?.reason },
          { id: 9, code: -32603, reason },
        );
        assert.match(error?.message ?? "", message);
        assert.ok(!text.includes("s3cret-value"), "a secret left the host");
        await nothingIsLeft();
      });
    }

    test(
      "a stubborn server with a grandchild is gone soon after the answer, for which nobody waited",
      { skip: without.earlyAnswers ?? false },
      async () => {
        const pid = Number(await toolText("spawns-grandchild", call("any")));
        assert.ok(pid > 0);
        assert.ok(processesWith(token).length > 0, "the answer waited for the end of the process");
        assert.equal(await toolText("ignores-sigterm", call("any")), "ok");
        await nothingIsLeft();
      },
    );

    test(
      "a client that goes away is told to the server, and ends it",
      { skip: without.lostClients ?? false },
      async (t) => {
        const file = join(await temporaryFolder(t), "log");
        const leaving = new AbortController();
        const init = { ...post(call("wait", { file }, { id: 5 }), ANYTHING), signal: leaving.signal };
        const answer = platform.fetch("/mcp/slow", init).then(
          () => "answered",
          (error: Error) => error.name,
        );
        await waitForLine(file, /^called/, { withinMs: 5000 });
        leaving.abort();
        assert.equal(await within(answer, 1000, "the end of the request"), "AbortError");
        await waitUntilGone(token, { withinMs: 1000 });
        await waitForLine(file, /^cancelled 5/, { withinMs: 100 });
        assert.deepEqual(await platform.settled(), []);
      },
    );

    test(
      "a client that goes away in the middle of a stream ends the server",
      { skip: without.lostClients ?? false },
      async () => {
        const meta = { progressToken: 1 };
        const body = call("progress", { steps: 100, delayMs: 50 }, { meta });
        const leaving = new AbortController();
        const init = { ...post(body, ANYTHING), signal: leaving.signal };
        const response = await platform.fetch("/mcp/progress", init);
        await readEvents(response).next();
        leaving.abort();
        await waitUntilGone(token, { withinMs: 1000 });
        assert.deepEqual(await platform.settled(), []);
      },
    );

    test("what needs no process starts none", async () => {
      const ping = await ask("silent", request("ping", undefined, 3));
      assert.deepEqual(ping, { jsonrpc: "2.0", id: 3, result: {} });
      const noted = await send("silent", notification("notifications/initialized"));
      assert.deepEqual([noted.status, await noted.text()], [202, ""]);
      const subscribed = await ask("silent", request("resources/subscribe", { uri: "x:y" }));
      assert.equal(subscribed.error?.code, -32601);
      await waitUntilGone(token, { withinMs: 0 });
    });

    const refused: [string, string, RequestInit, number, number][] = [
      ["GET", "/mcp", { method: "GET" }, 405, -32600],
      ["DELETE", "/mcp", { method: "DELETE" }, 405, -32600],
      ["an unknown path", "/mcp/one/too/many", {}, 404, -32600],
      ["HTTP+SSE", "/sse", {}, 404, -32600],
      ["an unknown server", "/mcp/nobody", post(call("x")), 404, -32600],
      ["bad JSON", "/mcp/echo", post("{"), 400, -32700],
      ["an empty body", "/mcp/echo", post(""), 400, -32700],
      ["a body that is no message", "/mcp/echo", post('{"id":1}'), 400, -32600],
      ["a large body", "/mcp/echo", post(" ".repeat(4 * 1024 * 1024 + 1)), 413, -32600],
      ["another media type", "/mcp/echo", post("{}", { "content-type": "text/plain" }), 415, -32600],
      ["another accepted type", "/mcp/echo", post("{}", { accept: "image/png" }), 406, -32600],
      ["a URL parameter", "/mcp/echo?TOKEN=x", post(call("x")), 400, -32600],
      ["an unknown version", "/mcp/echo", post(call("x"), { "mcp-protocol-version": "1.0" }), 400, -32600],
    ];
    for (const [what, path, init, status, code] of refused) {
      test(`${what} is refused with ${status} and ${code}, as JSON, and starts nothing`, async () => {
        const response = await platform.fetch(path, init);
        assert.equal(response.status, status);
        assert.equal(response.headers.get("content-type"), "application/json");
        assert.equal(((await response.json()) as Answer).error?.code, code);
        await waitUntilGone(token, { withinMs: 0 });
      });
    }

    test("servers are found by name on both kinds of path", async () => {
      for (const path of ["/mcp/counter", "/servers/counter/mcp"]) {
        const answer = await (await platform.fetch(path, post(call("count"), ANYTHING))).json();
        assert.equal(textOf(answer as Answer), "1");
      }
    });

    const askModern = async (server: string, init: RequestInit): Promise<Answer & { status: number }> => {
      const response = await platform.fetch(`/mcp/${server}`, init);
      return { ...((await response.json()) as Answer), status: response.status };
    };

    for (const server of ["echo", "modern-only"]) {
      test(`a client of 2026-07-28 discovers and calls ${server}`, async () => {
        const discovered = await askModern(server, modern("server/discover"));
        assert.deepEqual(discovered.result?.["supportedVersions"], ["2026-07-28"]);
        const { result, status, id } = await askModern(server, modernCall("echo", { a: 1 }, { id: "m" }));
        assert.deepEqual([status, id, result?.["resultType"]], [200, "m", "complete"]);
        assert.match(textOf({ result: result ?? {} }), /"a":1/);
        await nothingIsLeft();
      });
    }

    test("a client of 2025-11-25 initializes and calls a server that has no handshake", async () => {
      const { result } = await ask("modern-only", initialize());
      assert.deepEqual(result?.["serverInfo"], { name: "modern-only", version: "1.0.0" });
      assert.match(await toolText("modern-only", call("echo", { a: 1 })), /"a":1/);
      await nothingIsLeft();
    });

    const modernRefusals: readonly [what: string, init: RequestInit, status: number, code: number][] = [
      [
        "a header that contradicts",
        modernCall("echo", {}, { headers: { "mcp-name": "other" } }),
        400,
        -32020,
      ],
      ["a method that is gone", modern("ping"), 404, -32601],
      ["a state of nobody", modernCall("ask-one", {}, { requestState: "mayfly1.AAAA" }), 400, -32602],
    ];
    for (const [what, init, status, code] of modernRefusals) {
      test(`${what} is refused with ${status} and ${code}, and starts nothing`, async () => {
        const answer = await askModern("legacy-asks", init);
        assert.deepEqual([answer.status, answer.error?.code, answer.id], [status, code, 1]);
        await waitUntilGone(token, { withinMs: 0 });
      });
    }

    test("a server that cannot be discovered is not taken for a legacy one: 500", async () => {
      const { status, error } = await askModern("crashes-at-start", modern("server/discover"));
      assert.deepEqual([status, error?.code, error?.data?.reason], [500, -32603, "exited"]);
      await nothingIsLeft();
    });

    test("a question is asked in the answer, and no process waits for what comes back", async () => {
      const capabilities = { elicitation: {} };
      const { result } = await askModern("legacy-asks", modernCall("ask-one", {}, { capabilities }));
      assert.equal(result?.["resultType"], "input_required");
      await nothingIsLeft();
      const retry = {
        requestState: String(result["requestState"]),
        inputResponses: { q0: { action: "decline" } },
      };
      const answer = await askModern("legacy-asks", modernCall("ask-one", {}, { capabilities, ...retry }));
      assert.match(textOf(answer), /^\{"answers":\[\{"action":"decline"\}\]/);
      await nothingIsLeft();
    });

    test("a subscription is acknowledged, and leaves nothing when its client leaves", async () => {
      const response = await platform.fetch(
        "/mcp/legacy-watches",
        modern("subscriptions/listen", { notifications: {} }),
      );
      const events = readEvents(response);
      const { value } = await within(events.next(), 10_000, "the acknowledgement");
      assert.match(value?.data ?? value?.comment ?? "", /subscriptions\/acknowledged/);
      await events.return();
      await nothingIsLeft();
    });

    test("the health of the host is told without a process", async () => {
      const response = await platform.fetch("/health");
      assert.deepEqual([response.status, await response.json()], [200, { status: "ok" }]);
    });

    test("a variable of the URL is set for its request alone", async () => {
      const tokenSeen = async (query: string): Promise<unknown> => {
        const answer = await platform.fetch(`/mcp/environment${query}`, post(call("environment"), ANYTHING));
        const { env } = JSON.parse(textOf((await answer.json()) as Answer)) as {
          env: Record<string, string>;
        };
        return env["CALLER_TOKEN"];
      };
      const queries = ["?CALLER_TOKEN=a%2Bb", "", "?CALLER_TOKEN=c"];
      assert.deepEqual(await Promise.all(queries.map(tokenSeen)), ["a+b", undefined, "c"]);
      assert.equal(await tokenSeen(""), undefined);
      await nothingIsLeft();
    });

    test("a variable from a header is set for its request alone, and by no parameter", async () => {
      const askWith = (headers: Readonly<Record<string, string>>, query = ""): Promise<Response> =>
        platform.fetch(`/mcp/environment${query}`, post(call("environment"), { ...ANYTHING, ...headers }));
      const seen = async (headers: Readonly<Record<string, string>>): Promise<unknown> => {
        const answer = (await (await askWith(headers)).json()) as Answer;
        return (JSON.parse(textOf(answer)) as { env: Record<string, string> }).env["CALLER_KEY"];
      };
      const brought = [{ "x-caller-key": "a" }, {}, { "X-Caller-Key": "c" }];
      assert.deepEqual(await Promise.all(brought.map(seen)), ["a", undefined, "c"]);
      assert.equal((await askWith({}, "?CALLER_KEY=x")).status, 400);
      await nothingIsLeft();
    });

    test("a hidden tool is not listed, and a call of it starts nothing", async () => {
      const { error } = await ask("lists-tools", call("delete_a"));
      assert.deepEqual(error, { code: -32602, message: "Unknown tool: delete_a" });
      await waitUntilGone(token, { withinMs: 0 });
      const { result } = await ask("lists-tools", request("tools/list"));
      assert.doesNotMatch(JSON.stringify(result), /delete_/);
      await nothingIsLeft();
    });

    test("a server inherits a short list of variables and its own, nothing else", async () => {
      const { env } = JSON.parse(await toolText("environment", call("environment"))) as {
        env: Record<string, string>;
      };
      assert.equal(env["SECRET_TOKEN"], "s3cret-value");
      const unexpected = Object.keys(env).filter((key) => !EXPECTED.test(key));
      assert.deepEqual(unexpected, []);
    });
  });
}

/** The frames, of which each lets the server go on to the next step: those that are held back never end. */
async function readStepByStep(response: Response, gate: string): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of readEvents(response)) {
    frames.push(frame);
    const step = /"progress":(\d+)/.exec(frame.data ?? "")?.[1];
    if (step !== undefined) await writeFile(`${gate}${step}`, "");
  }
  return frames;
}

/** The inherited list, the fixture's own variable, the mark, and what a read-only HOME is replaced with. */
const EXPECTED =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|LANG|LANGUAGE|LC_\w+|TMPDIR|SECRET_TOKEN|MAYFLY_PROCESS|npm_config_cache|XDG_CACHE_HOME|UV_CACHE_DIR)$/;

function textOf({ result, error }: Answer): string {
  const content = result?.["content"] as { text: string }[] | undefined;
  if (!content?.[0]) throw new Error(`no text: ${JSON.stringify(error ?? result)}`);
  return content[0].text;
}
