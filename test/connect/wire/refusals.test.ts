import { doesNotMatch, equal, match } from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { readRefusal } from "../../../lib/connect/wire/refusals.ts";
import type { Refusal } from "../../../lib/connect/wire/refusals.ts";
import { within } from "../../support/deadline.ts";
import { serveWire, wireTarget } from "../../support/wire.ts";

const WAIT_MS = 15_000;
const NEVER = new AbortController().signal;

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

async function refusal(
  t: TestContext,
  answer: Answer,
  headers: Record<string, string> = {},
): Promise<Refusal> {
  const { url } = await serveWire(t, answer);
  const target = await wireTarget(t, new URL("/mcp?key=query-secret", url), { headers });
  const sent = { headers: {}, body: "{}", signal: NEVER };
  const got = await target.http.request("POST", target.url, sent);
  return readRefusal(got, { method: "tools/call", id: "7" }, target, NEVER);
}

function challenge(value: string | string[], body = ""): Answer {
  return (_request, response) => {
    response.writeHead(401, { "WWW-Authenticate": value, "Content-Type": "application/json" }).end(body);
  };
}

const KEY_ERROR = '{"jsonrpc":"2.0","error":{"code":-32600,"message":"The key is missing or wrong"}}';
const METADATA = 'Bearer resource_metadata="https://a.test/.well-known/oauth-protected-resource"';

const CHALLENGES: readonly [string, Answer, string][] = [
  ["names the metadata of OAuth", challenge(METADATA), "REMOTE_WANTS_OAUTH"],
  ["names them beside an error", challenge(METADATA, KEY_ERROR), "REMOTE_WANTS_OAUTH"],
  ["names them in a second challenge", challenge(["Basic realm=x", METADATA]), "REMOTE_WANTS_OAUTH"],
  ["asks for a bearer", challenge("Bearer"), "REMOTE_WANTS_OAUTH"],
  [
    "asks for a bearer with words of OAuth",
    challenge('bearer error="invalid_token"', '{"error":"invalid_token"}'),
    "REMOTE_WANTS_OAUTH",
  ],
  ["asks for a bearer, and for a key in JSON-RPC", challenge("Bearer", KEY_ERROR), "REMOTE_UNAUTHORIZED"],
  ["asks for a password", challenge('Basic realm="Bearer"'), "REMOTE_UNAUTHORIZED"],
  ["asks for nothing", (_request, response) => response.writeHead(401).end(), "REMOTE_UNAUTHORIZED"],
  ["forbids", json(KEY_ERROR, 403), "REMOTE_UNAUTHORIZED"],
];

for (const [name, answer, code] of CHALLENGES) {
  test(`a server that ${name}: ${code}`, async (t) => {
    const { failure } = await refusal(t, answer);
    equal(failure.code, code);
    doesNotMatch(failure.message, /query-secret/);
    if (code === "REMOTE_WANTS_OAUTH")
      match(failure.message, /npx mcp-remote http:\/\/127\.0\.0\.1:\d+\/mcp, or/);
  });
}

test("a JSON-RPC error in a refusal is the answer to the request, whatever id it has", async (t) => {
  for (const id of ['"id":null,', "", '"id":"server-error",', '"id":7,']) {
    const body = `{"jsonrpc":"2.0",${id}"error":{"code":-32000,"message":"No session","data":12345678901234567890}}`;
    const { status, message, failure } = await refusal(t, json(body, 400));
    equal(status, 400);
    equal(message?.value.id, 7);
    match(message?.text ?? "", /"id":7\b/);
    match(message?.text ?? "", /"data":12345678901234567890/);
    match(failure.message, /refused tools\/call: HTTP 400: No session$/);
  }
});

test("what is no JSON-RPC error in a refusal is told in a few words on one line", async (t) => {
  const text = (body: string, type = "text/plain"): Answer => {
    return (_request, response) => response.writeHead(500, { "Content-Type": type }).end(body);
  };
  const said = async (answer: Answer): Promise<string> => {
    const { message, failure } = await refusal(t, answer, { "X-Key": "header-secret" });
    equal(message, undefined);
    return failure.message.replace("The remote server refused tools/call: ", "");
  };
  equal(await said(text("")), "HTTP 500");
  equal(await said(text("Out of\r\n\t order \u001b[31m")), "HTTP 500: Out of order ?[31m");
  equal(await said(text("<html>x", "text/html")), "HTTP 500: a web page");
  equal(await said(text("query-secret and header-secret")), "HTTP 500: *** and ***");
  equal((await said(text("ab ".repeat(1000)))).length, "HTTP 500: ".length + 201);
  equal(await said(text('{"error":"invalid"}', "application/json")), 'HTTP 500: {"error":"invalid"}');
});

test("a secret that the limit of a text cuts is not told in part", async (t) => {
  const { failure } = await refusal(
    t,
    (_request, response) => response.writeHead(500).end(`${"x".repeat(195)}header-secret`),
    { "X-Key": "header-secret" },
  );
  doesNotMatch(failure.message, /header/);
});

test("a refusal without an end is read for a while, and the connection ended", async (t) => {
  let ended: Promise<unknown> | undefined;
  const { failure } = await refusal(t, (_request, response) => {
    ended = new Promise((resolve) => response.once("close", resolve));
    response.writeHead(500);
    const write = (): void => {
      while (!response.destroyed && response.write("x".repeat(16_384)));
      response.once("drain", write);
    };
    write();
  });
  equal(failure.code, "REMOTE_REFUSED");
  await within(ended ?? Promise.reject(new Error("nobody came")), WAIT_MS, "the end of the connection");
});

function json(text: string, status = 200): Answer {
  return (_request, response) => response.writeHead(status, { "Content-Type": "application/json" }).end(text);
}
