import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import type { TestContext } from "node:test";
import { inspect } from "node:util";

import { pino } from "pino";

import { serve } from "../lib/adapters/node.ts";
import { admitKey } from "../lib/auth.ts";
import type { AccessRules } from "../lib/auth.ts";
import { authenticated } from "../lib/authenticate.ts";
import type { MayflyError } from "../lib/errors.ts";
import { createHandler } from "../lib/index.ts";
import type { Authenticate, AuthenticateRequest, Logger } from "../lib/index.ts";
import { within } from "./support/deadline.ts";
import { call, post, request } from "./support/rpc.ts";
import { refusalOf, watchedHandler } from "./support/unstarted.ts";

const TOKEN = "tok-5e8c1f";

/** Lets in who has the token, at once. */
const byToken: Authenticate = ({ headers }) =>
  headers.get("x-token") === TOKEN ? { principal: "ann" } : undefined;

function ping(headers: Readonly<Record<string, string>> = {}): RequestInit {
  return post(request("ping"), headers);
}

/** The answer to a ping with the token, and the log as operators may have it. */
async function failing(t: TestContext, authenticate: Authenticate, path = "/mcp", headers = {}) {
  const lines: string[] = [];
  const toLines = pino({ level: "debug" }, { write: (line) => lines.push(line) });
  const note = (fields: object, message: string): void => {
    lines.push(inspect([fields, message], { depth: 9 }));
    toLines.error(fields, message);
  };
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const handler = watchedHandler(t, { authenticate, logger });
  const response = await handler.fetch(path, ping({ "x-token": TOKEN, ...headers }));
  assert.deepEqual(handler.started(), { processes: 0, messages: 0 });
  return { response, log: lines.join("\n") };
}

test("whom the operator's function knows is let in, and the others are not", async (t) => {
  for (const authenticate of [byToken, async (asked: AuthenticateRequest) => byToken(asked)]) {
    const { fetch, started } = watchedHandler(t, { authenticate });
    const refused = await fetch("/mcp", ping({ "x-token": "other" }));
    assert.equal(refused.headers.get("www-authenticate"), "Bearer");
    const [{ error }] = await refusalOf(refused, 401, -32600);
    assert.equal(error.message, "The operator's own check does not know this caller");
    assert.deepEqual(started(), { processes: 0, messages: 0 });
    const admitted = await fetch("/mcp", post(call("echo", { a: 1 }), { "x-token": TOKEN }));
    assert.equal(admitted.status, 200);
  }
});

test("everybody being let in does not let in whom the function does not know", async (t) => {
  const { fetch } = watchedHandler(t, { allowAnonymous: true, authenticate: byToken });
  await refusalOf(await fetch("/mcp", ping()), 401, -32600);
});

test("the function sees method, URL and a copy of the headers, and leaves the body", async (t) => {
  const seen: AuthenticateRequest[] = [];
  const { fetch } = watchedHandler(t, {
    authenticate: (asked) => {
      seen.push(asked);
      assert.equal(asked.headers.get("content-type"), "application/json");
      asked.headers.set("content-type", "text/plain");
      return { principal: "ann" };
    },
  });
  assert.equal((await fetch("/mcp?auth_key=x", ping())).status, 200);
  assert.deepEqual([seen[0]?.method, seen[0]?.url], ["POST", "http://localhost/mcp?auth_key=x"]);
  assert.deepEqual(Object.keys(seen[0] ?? {}), ["method", "url", "headers"]);
});

test("the function is asked before the body and the server, and not for health and preflights", async (t) => {
  let asked = 0;
  const { fetch } = watchedHandler(t, { authenticate: () => void (asked += 1) });
  assert.equal((await fetch("/health")).status, 200);
  assert.equal((await fetch("/mcp", { method: "OPTIONS" })).status, 204);
  assert.equal(asked, 0);
  await refusalOf(await fetch("/mcp/nobody", post("{")), 401, -32600);
  await refusalOf(await fetch("/health?deep=1"), 401, -32600);
  await refusalOf(await fetch("/servers"), 401, -32600);
  assert.equal(asked, 3);
});

describe("the function fails", () => {
  const failures: readonly (readonly [what: string, authenticate: Authenticate])[] = [
    [
      "by throwing",
      () => {
        throw new Error("the directory is down");
      },
    ],
    ["by rejecting", () => Promise.reject(new Error("the directory is down"))],
    ["with what is no Error", () => Promise.reject(JSON.parse('"the directory is down"') as Error)],
  ];
  for (const [what, authenticate] of failures) {
    test(`${what}: the caller learns nothing, and the log why`, async (t) => {
      const { response, log } = await failing(t, authenticate);
      const [{ error }] = await refusalOf(response, 500, -32603);
      assert.equal(error.message, "An error inside Mayfly: see its log");
      assert.match(log, /the directory is down/);
    });
  }

  const answers: readonly unknown[] = [{}, { principal: "" }, { principal: 1 }, true, "ann"];
  for (const answer of answers) {
    test(`by naming nobody: ${JSON.stringify(answer)}`, async (t) => {
      const { response, log } = await failing(t, (() => answer) as unknown as Authenticate);
      await refusalOf(response, 500, -32603);
      assert.match(log, /authenticate returned no principal/);
    });
  }

  test("by never answering: ten seconds later that is a failure too", async (t) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    t.after(() => mock.timers.reset());
    const asked = new Request("http://localhost/mcp");
    const silent = authenticated(asked, new URL(asked.url), () => new Promise(() => undefined));
    const failed = assert.rejects(silent, ({ code, cause }: MayflyError) => {
      assert.deepEqual(code, "INTERNAL");
      return /authenticate has not answered after 10 seconds/.test(String(cause));
    });
    mock.timers.tick(10_000);
    await failed;
  });

  test("which null is not: it is nobody", async (t) => {
    const { response } = await failing(t, (() => null) as unknown as Authenticate);
    await refusalOf(response, 401, -32600);
  });

  test("with an error that quotes the request: its secrets stay out of the log", async (t) => {
    const basic = Buffer.from("annette:pass-7d21").toString("base64");
    const headers = { authorization: `Basic ${basic}`, cookie: "a=1; session=cookie-93ab" };
    const authenticate: Authenticate = ({ url, headers: sent }) => {
      const [, user] = Buffer.from(basic, "base64").toString().split(":");
      const quoted = [url, ...[...sent].map(String), user].join(" ");
      throw new Error(`cannot parse ${quoted}`, { cause: new Error(quoted) });
    };
    const { response, log } = await failing(t, authenticate, "/mcp?auth_key=%66irst-key-3f9c", headers);
    await refusalOf(response, 500, -32603);
    assert.match(log, /cannot parse/);
    assert.doesNotMatch(log, new RegExp(`${TOKEN}|${basic}|pass-7d21|cookie-93ab|irst-key-3f9c`));
  });
});

test("a name cannot be chosen that is that of a key, or of nobody in particular", async () => {
  const asked = new Request("http://localhost/mcp", { headers: { "x-api-key": "k3y" } });
  const nameOf = (rules: Partial<AccessRules>): Promise<string> =>
    admitKey(asked, new URL(asked.url), {
      authKeys: [],
      allowAnonymous: true,
      allowedHosts: undefined,
      authenticate: undefined,
      ...rules,
    });
  const byKey = await nameOf({ authKeys: ["k3y"] });
  assert.match(byKey, /^key:[\w-]{43}$/);
  assert.equal(await nameOf({}), "anonymous");
  for (const principal of [byKey, "anonymous", "ann"]) {
    assert.equal(await nameOf({ authenticate: () => ({ principal }) }), `custom:${principal}`);
  }
});

test("keys and a function at once are a mistake", () => {
  const options = { mcpServers: { x: { command: "x" } }, authKeys: ["k3y"], authenticate: byToken };
  assert.throws(() => createHandler(options), { name: "ConfigurationError", message: /^authKeys: / });
});

test("an adapter that asks a function may listen where everybody can reach it", async (t) => {
  // The same address, in a spelling that is not known to be local.
  const options = { mcpServers: { x: { command: "x" } }, port: 0, host: "127.1" };
  await assert.rejects(serve(options), { name: "ConfigurationError" });
  const server = await serve({ ...options, authenticate: byToken });
  t.after(() => server.close(0));
  const refused = await within(fetch(`${server.url}/mcp`, ping()), 5000, "a refusal");
  assert.equal(refused.status, 401);
  const admitted = await within(fetch(`${server.url}/mcp`, ping({ "x-token": TOKEN })), 5000, "an answer");
  assert.equal(admitted.status, 200);
});
