import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import type { ServeOptions } from "../../lib/adapters/node.ts";
import type { ServerConfig } from "../../lib/index.ts";
import { until, within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { modernCall, textOf } from "../support/modern.ts";
import type { Answer } from "../support/modern.ts";
import { allProcesses, processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";

const WAIT_MS = 15_000;
const SECRET = "s3cret-of-one-caller";
const KEYS = ["first-k3y-of-this-host", "second-k3y/with+signs="] as const;

type Headers = Readonly<Record<string, string>>;
type Environment = Readonly<Record<string, string>>;

interface Setup {
  readonly url: string;
  readonly token: string;
  readonly ask: (
    query: string,
    headers?: Headers,
    body?: object,
  ) => Promise<Answer & { readonly status: number }>;
  /** The variables of the process that answers. */
  readonly variables: (query?: string, headers?: Headers) => Promise<Environment>;
  /** What is logged, as JSON and as it is. */
  readonly log: () => string;
}

interface Options extends Partial<ServeOptions> {
  readonly config?: Partial<ServerConfig>;
  readonly name?: string;
}

const EVERY = { TOKEN: "header:X-Token", ID: "query:id", PASS: "bearer" } as const;

/** The adapter over one fixture; after the test it is closed, and no process may be left. */
async function setUp(
  t: TestContext,
  { config, name = "environment", ...rest }: Options = {},
): Promise<Setup> {
  const { command, args, token } = fixture(name);
  const lines: object[] = [];
  const note = (fields: object, message: string): void => void lines.push({ ...fields, message });
  const logger = { debug: note, info: note, warn: note, error: note };
  const mcpServers = { only: { command, args, envFrom: EVERY, ...config } };
  const server = await serve({ mcpServers, port: 0, logger, ...rest });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  const ask: Setup["ask"] = async (query, headers = {}, body = call("environment")) => {
    const response = await within(
      fetch(`${server.url}/mcp${query}`, post(body, headers)),
      WAIT_MS,
      "an answer",
    );
    return { ...((await response.json()) as Answer), status: response.status };
  };
  return {
    url: server.url,
    token,
    ask,
    variables: async (query = "", headers = {}) => {
      const { env } = JSON.parse(textOf(await ask(query, headers))) as { env: Environment };
      return env;
    },
    log: () => [JSON.stringify(lines), ...lines.flatMap((line) => Object.values(line))].join("\n"),
  };
}

/** Sets a variable of our own for the time of a test. */
function setOwn(t: TestContext, name: string, value: string): void {
  process.env[name] = value;
  t.after(() => delete process.env[name]);
}

function only(environment: Environment, ...names: readonly string[]): unknown[] {
  return names.map((name) => environment[name]);
}

describe("envFrom", () => {
  const bearer = (value: string): Headers => ({ authorization: `Bearer ${value}` });
  const rows: readonly (readonly [what: string, variable: string, query: string, headers: Headers])[] = [
    ["a header", "TOKEN", "", { "x-token": SECRET }],
    ["a header in another case", "TOKEN", "", { "X-TOKEN": SECRET }],
    ["a parameter", "ID", `?id=${SECRET}`, {}],
    ["a parameter with escapes", "ID", `?%69d=${SECRET.replace("s", "%73")}`, {}],
    ["the bearer token", "PASS", "", bearer(SECRET)],
    ["the bearer token of another case", "PASS", "", { authorization: `bEARER  ${SECRET}` }],
  ];
  for (const [what, variable, query, headers] of rows) {
    test(`sets the variable that ${what} brings, and no other`, async (t) => {
      const { variables, token, log } = await setUp(t);
      const first = await variables(query, headers);
      const names = Object.keys(EVERY);
      const expected = names.map((name) => (name === variable ? SECRET : undefined));
      assert.deepEqual(only(first, ...names), expected);
      await waitUntilGone(token);
      assert.deepEqual(only(await variables(), ...names), [undefined, undefined, undefined]);
      assert.ok(!log().includes(SECRET), "the value is in the log");
    });
  }

  test("does it for requests without a handshake", async (t) => {
    const { url } = await setUp(t);
    const { headers, ...init } = modernCall("environment");
    const response = await fetch(`${url}/mcp`, {
      ...init,
      headers: { ...Object(headers), "x-token": SECRET },
    });
    const { env } = JSON.parse(textOf((await response.json()) as Answer)) as { env: Environment };
    assert.equal(env["TOKEN"], SECRET);
  });

  test("leaves a variable unset that our own environment has", async (t) => {
    setOwn(t, "TOKEN", "ours");
    setOwn(t, "LANG", "C.UTF-8");
    const envFrom = { TOKEN: "header:x-token", LANG: "header:x-lang" };
    const { variables } = await setUp(t, { passEnv: ["*"], config: { envFrom } });
    assert.deepEqual(only(await variables(), "TOKEN", "LANG"), [undefined, undefined]);
    const brought = await variables("", { "x-token": "theirs", "x-lang": "de" });
    assert.deepEqual(only(brought, "TOKEN", "LANG"), ["theirs", "de"]);
  });

  test("takes empty for absent", async (t) => {
    setOwn(t, "TOKEN", "ours");
    const { variables } = await setUp(t, { passEnv: ["*"] });
    const environment = await variables("?id=", { "x-token": "", authorization: "Bearer " });
    assert.deepEqual(
      Object.keys(EVERY).filter((name) => name in environment),
      [],
    );
  });

  test("takes neither another scheme of Authorization nor another header", async (t) => {
    const { variables } = await setUp(t);
    const headers = { authorization: "Basic dXNlcjpwYXNz", token: SECRET, "x-tokens": SECRET };
    assert.deepEqual(only(await variables("", headers), ...Object.keys(EVERY)), [
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("sets several variables from one source, and reads a parameter of the variable's own name", async (t) => {
    const envFrom = {
      ONE: "query:ONE",
      TWO: "query:ONE",
      constructor: "header:x-c",
      toString: "query:__proto__",
    };
    const { variables } = await setUp(t, { config: { envFrom } });
    const environment = await variables("?ONE=1&__proto__=2", { "x-c": "3" });
    const expected = { ONE: "1", TWO: "1", constructor: "3", toString: "2" };
    const found = Object.entries(environment).filter(([name]) => Object.hasOwn(envFrom, name));
    assert.deepEqual(Object.fromEntries(found), expected);
  });

  test("goes along with what allowEnv lets a URL set", async (t) => {
    const { variables, ask } = await setUp(t, { allowEnv: ["*"] });
    const environment = await variables("?id=1&MODE=fast", { "x-token": SECRET });
    assert.deepEqual(only(environment, "ID", "MODE", "TOKEN", "id"), ["1", "fast", SECRET, undefined]);
    for (const query of ["?TOKEN=x", "?token=x", "?%54OKEN=x", "?PASS=x", "?ID=x"]) {
      const { status, error } = await ask(query);
      assert.equal(status, 400, query);
      assert.match(error?.message ?? "", /is taken from the/);
    }
  });

  test("takes a value of the largest size, and as many parameters as there may be", async (t) => {
    // Node's own server takes 16 KiB of headers: the handler alone is asked, and a real program started.
    const { createHandler } = await import("../../lib/index.ts");
    const { command, args, token } = fixture("environment");
    const envFrom = { TOKEN: "header:x-token" };
    const handler = createHandler({
      mcpServers: { only: { command, args, envFrom } },
      allowEnv: ["*"],
      allowAnonymous: true,
    });
    t.after(async () => {
      await handler.close();
      await waitUntilGone(token);
    });
    const ask = async (bytes: number, count: number): Promise<Response> => {
      const url = new URL("http://localhost/mcp");
      for (let at = 10; at < 10 + count; at += 1) url.searchParams.set(`V${at}`, "x".repeat(16_384 - 3));
      const init = post(call("environment"), { "x-token": "x".repeat(bytes) });
      return within(handler.fetch(new Request(url, init)), WAIT_MS, "an answer");
    };
    const { env } = JSON.parse(textOf((await (await ask(16_384, 64)).json()) as Answer)) as {
      env: Environment;
    };
    assert.equal(env["TOKEN"]?.length, 16_384);
    assert.equal(Object.keys(env).filter((name) => /^V\d+$/.test(name)).length, 64);
    for (const [bytes, count, message] of [
      [
        16_385,
        0,
        /The header \\"x-token\\", which sets the variable \\"TOKEN\\", is not valid: it has more than 16384 bytes/,
      ],
      [1, 65, /more than 64 parameters/],
    ] as const) {
      const response = await ask(bytes, count);
      assert.equal(response.status, 400);
      assert.match(await response.text(), message);
    }
  });

  const refused: readonly (readonly [what: string, query: string, headers: Headers, message: RegExp])[] = [
    [
      "a header with a character beyond ASCII",
      "",
      { "x-token": `${SECRET}é` },
      /header "x-token".*"TOKEN".*not printable ASCII/,
    ],
    ["a header with a tab", "", { "x-token": `${SECRET}\tx` }, /header "x-token".*not printable ASCII/],
    [
      "a bearer token with a space",
      "",
      { authorization: `Bearer a ${SECRET}` },
      /bearer token.*"PASS".*a space/,
    ],
    ["two bearer tokens", "", { authorization: `Bearer ${SECRET}, Bearer x` }, /bearer token.*a space/],
    [
      "a parameter that stands there twice",
      `?id=${SECRET}&id=${SECRET}`,
      {},
      /URL parameter "id".*"ID".*twice/,
    ],
    ["a NUL", `?id=${SECRET}%00`, {}, /URL parameter "id".*NUL/],
    ["bytes that are not UTF-8", `?id=${SECRET}%ff`, {}, /URL parameter "id".*not UTF-8/],
  ];
  for (const [what, query, headers, message] of refused) {
    test(`refuses ${what}, starts nothing and tells the value nowhere`, async (t) => {
      const { ask, token, log } = await setUp(t);
      const answer = await ask(query, headers);
      assert.deepEqual([answer.status, answer.error?.code, answer.id], [400, -32600, 1]);
      assert.match(answer.error?.message ?? "", message);
      assert.deepEqual(processesWith(token), []);
      assert.ok(!(JSON.stringify(answer) + log()).includes(SECRET), "the value is told");
    });
  }
});

describe("a bearer token", () => {
  test("is handed on where the operator's own check has read it", async (t) => {
    const authenticate: ServeOptions["authenticate"] = ({ headers }) =>
      headers.get("authorization") === `Bearer ${SECRET}` ? { principal: "ann" } : undefined;
    const { variables, ask } = await setUp(t, { authenticate });
    assert.deepEqual(only(await variables("", { authorization: `Bearer ${SECRET}` }), "PASS"), [SECRET]);
    assert.equal((await ask("", { authorization: "Bearer other" })).status, 401);
  });
});

for (const inputMode of ["rerun", "hold"] as const) {
  test(`a question under ${inputMode} is answered with the values of who was asked, and no others`, async (t) => {
    const stateSecrets = ["a secret of the tests that is long enough"];
    const { url, token } = await setUp(t, { name: "legacy-asks", inputMode, stateSecrets });
    const ask = async (value: string, more: object): Promise<Answer> => {
      const { headers, ...init } = modernCall("ask-one", {}, { capabilities: { elicitation: {} }, ...more });
      const brought = value === "" ? {} : { "x-token": value };
      const request = { ...init, headers: { ...Object(headers), ...brought } };
      const response = await within(fetch(`${url}/mcp`, request), WAIT_MS, "an answer");
      return (await response.json()) as Answer;
    };
    const { result } = await ask("ann", {});
    const requestState = String(result?.["requestState"]);
    const retry = { requestState, inputResponses: { q0: { action: "decline" } } };
    for (const other of ["", "bob"]) assert.equal((await ask(other, retry)).error?.code, -32602);
    assert.match(textOf(await ask("ann", retry)), /"decline"/);
    await waitUntilGone(token);
  });
}

describe("two callers at the same time", () => {
  test("never see each other's values or answers", { timeout: 120_000 }, async (t) => {
    const { ask } = await setUp(t, { maxProcesses: 4 });
    const rounds = Array.from({ length: 30 }, (_, round) => round);
    const callers = ["ann", "bob", "nobody"];
    const oneCall = async (caller: string, round: number): Promise<void> => {
      const value = `${caller}-${round}-${SECRET}`;
      const headers = caller === "nobody" ? {} : { "x-token": value, authorization: `Bearer ${value}` };
      const body = call("environment", {}, { id: `${caller}-${round}` });
      const answer = await ask(caller === "nobody" ? "" : `?id=${value}`, headers, body);
      assert.equal(answer.id, `${caller}-${round}`);
      const { env } = JSON.parse(textOf(answer)) as { env: Environment };
      const expected = caller === "nobody" ? undefined : value;
      assert.deepEqual(only(env, "TOKEN", "ID", "PASS"), [expected, expected, expected]);
      const others = callers.filter((other) => other !== caller).map((other) => `${other}-`);
      const seen = JSON.stringify(Object.entries(env).filter(([name]) => name in EVERY));
      assert.ok(!others.some((other) => seen.includes(other)), seen);
    };
    // Each goes on as soon as it is answered, so that all pairs of moments meet.
    await Promise.all(
      callers.map(async (caller) => {
        for (const round of rounds) await oneCall(caller, round);
      }),
    );
  });
});

describe("the key of this host reaches no server", () => {
  const [key, other] = KEYS;
  const bearer = (value: string): Headers => ({ authorization: `Bearer ${value}` });
  const escaped = encodeURIComponent(other);
  const rows: readonly (readonly [what: string, query: string, headers: Headers])[] = [
    ["as bearer token", "", bearer(key)],
    ["the other one as bearer token", "", bearer(other)],
    ["as X-API-Key", "", { "x-api-key": key }],
    ["as auth_key", `?auth_key=${key}`, {}],
    ["as auth_key with escapes in its name", `?%61uth%5Fkey=${escaped}`, {}],
    ["twice, once wrong", `?auth_key=wrong&auth_key=${key}`, {}],
    ["in every way", `?auth_key=${key}&id=${key}`, { ...bearer(key), "x-api-key": key, "x-token": key }],
    [
      "another key than the one that let in",
      `?id=${escaped}`,
      { "x-api-key": key, ...bearer(other), "x-token": other },
    ],
    ["with a word before it", "", { ...bearer(key), "x-token": `Bearer ${key}` }],
    ["in a header that stands there twice", "", { ...bearer(key), "x-token": `other, ${key}` }],
  ];
  for (const [what, query, headers] of rows) {
    test(`given ${what}`, async (t) => {
      const { variables, log } = await setUp(t, { authKeys: KEYS, allowEnv: ["*"] });
      const environment = await variables(query, headers);
      assert.deepEqual(only(environment, ...Object.keys(EVERY)), [undefined, undefined, undefined]);
      for (const secret of [key, other, escaped]) {
        assert.ok(!JSON.stringify(environment).includes(secret), "the key reached the server");
        assert.ok(!log().includes(secret), "the key is in the log");
      }
    });
  }

  test("while a bearer token beside it does", async (t) => {
    const { variables } = await setUp(t, { authKeys: KEYS });
    const environment = await variables("", { "x-api-key": key, ...bearer(SECRET) });
    assert.deepEqual(only(environment, "PASS"), [SECRET]);
  });

  test("under the name of a variable that a URL may set, which is refused", async (t) => {
    const { ask, token } = await setUp(t, { authKeys: KEYS, allowEnv: ["*"] });
    const { status, error } = await ask(`?ANY=${escaped}`, bearer(key));
    assert.equal(status, 400);
    assert.match(error?.message ?? "", /"ANY".*its value is a key of this host$/);
    assert.ok(!error?.message.includes(other));
    assert.deepEqual(processesWith(token), []);
  });
});

describe("a caller's values", () => {
  const QUOTED = 's3cret "with" signs / + = & \\ of a caller';
  const values = { "x-token": QUOTED, authorization: `Bearer ${SECRET}` };
  const forms = [
    SECRET,
    QUOTED,
    JSON.stringify(QUOTED).slice(1, -1),
    encodeURIComponent(QUOTED),
    new URLSearchParams([["", QUOTED]]).toString().slice(1),
  ];
  const assertAbsent = (text: string, where: string): void => {
    for (const form of forms) assert.ok(!text.includes(form), `${form} is in ${where}`);
  };

  test("are in no log, also when the server prints all of its environment and crashes", async (t) => {
    const { ask, log } = await setUp(t, { name: "dumps-environment", logMessages: true });
    assert.match(textOf(await ask("", values)), /s3cret \\"with\\" signs/);
    const { error } = await ask("", values, call("crash"));
    assert.equal(error?.data?.["reason"], "exited");
    assertAbsent(JSON.stringify(error), "the error");
    await until(() => log().includes("GET /?"), { withinMs: WAIT_MS, label: "the report is in the log" });
    assert.match(log(), /TOKEN=\*\*\*/);
    assertAbsent(log(), "the log");
  });

  test("are in no log when the last words begin in the middle of one", async (t) => {
    const long = Array.from({ length: 1500 }, (_, at) => `part${at}`).join(".");
    const { ask, log } = await setUp(t, { name: "dumps-environment", logMessages: true });
    await ask("", { "x-token": long }, call("crash"));
    await until(() => log().includes('"reason":"exited"'), {
      withinMs: WAIT_MS,
      label: "the report is in the log",
    });
    assert.ok(!/part1[0-9]{3}\.part/.test(log()), "a part of the value is in the log");
  });

  test("are in the arguments of no process while the request runs", async (t) => {
    const { url, token } = await setUp(t, { name: "silent-in-call" });
    const controller = new AbortController();
    const init = { ...post(call("any"), values), signal: controller.signal };
    const pending = fetch(`${url}/mcp?id=${SECRET}`, init).then(
      () => "answered",
      () => "gone",
    );
    await until(() => processesWith(token).length > 0, { withinMs: WAIT_MS, label: "the server runs" });
    assertAbsent(
      allProcesses()
        .map(({ command }) => command)
        .join("\n"),
      "the arguments of a process",
    );
    controller.abort();
    assert.equal(await pending, "gone");
  });

  test("are not in the list of servers", async (t) => {
    const { url, variables } = await setUp(t);
    await variables("", values);
    const text = await (await fetch(`${url}/servers?id=${SECRET}`, { headers: values })).text();
    assertAbsent(text, "the list");
    assert.doesNotMatch(text, /TOKEN|x-token/i);
  });

  test("are absent from the server that a deep look starts, whatever it is sent", async (t) => {
    const { url, log } = await setUp(t, { name: "prints-environment" });
    const response = await fetch(`${url}/health?deep=1&id=${SECRET}`, { headers: { "x-token": SECRET } });
    const text = await response.text();
    assert.equal(response.status, 503);
    assert.match(text, /bad token undefined/);
    assertAbsent(text + log(), "the answer or the log");
  });
});

test("the page about variables says how large and how many values may be", () => {
  const page = readFileSync(new URL("../../docs/variables.md", import.meta.url), "utf8");
  assert.match(page, /a value of more than 16 384 bytes/);
  assert.match(page, /more than 64 parameters/);
});
