import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { within } from "../support/deadline.ts";
import { modernCall } from "../support/modern.ts";
import { waitUntilGone } from "../support/processes.ts";
import { call, initialize, post } from "../support/rpc.ts";
import { serveSessions, textOf } from "../support/sessions.ts";
import type { Caller, Served, ServedOptions } from "../support/sessions.ts";
import { connectSse } from "../support/sse-client.ts";
import { connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 15_000;
const KEY = "the-k3y-of-this-host";
const MINE = { "x-token": "mine-s3cret", authorization: "Bearer mine-s3cret" };
const OTHER = { "x-token": "other-s3cret" };

type Environment = Readonly<Record<string, string>>;

async function environmentOf(client: Caller): Promise<Environment> {
  return (JSON.parse(textOf(await client.call("environment"))) as { env: Environment }).env;
}

function only({ TOKEN, PASS, ID }: Environment): unknown[] {
  return [TOKEN, PASS, ID];
}

/** Our own environment has the variable: nobody may get it from there. */
async function setUp(t: TestContext, options: ServedOptions): Promise<Served> {
  process.env["TOKEN"] = "ours";
  t.after(() => delete process.env["TOKEN"]);
  const envFrom = { TOKEN: "header:x-token", PASS: "bearer", ID: "query:id" };
  return serveSessions(t, "environment", { passEnv: ["*"], config: { envFrom }, ...options });
}

/** Must be 400 with this in its message, and without any value. */
async function assertFixed(response: Promise<Response>, variable: string): Promise<void> {
  const answer = await within(response, WAIT_MS, "an answer");
  const text = await answer.text();
  assert.equal(answer.status, 400, text);
  assert.match(text, new RegExp(`A request cannot set the variable \\\\"${variable}\\\\" of a process`));
  assert.doesNotMatch(text, /s3cret/);
}

describe("a stream of HTTP+SSE with a process of its own", () => {
  test("has the values of the request that opened it, for its whole life", async (t) => {
    const { url } = await setUp(t, { sharedSession: false });
    const one = await connectSse(t, url, { path: "/sse?id=7", headers: MINE });
    const two = await connectSse(t, url, { headers: OTHER });
    const nobody = await connectSse(t, url);
    for (const _round of [1, 2]) {
      assert.deepEqual(only(await environmentOf(one)), ["mine-s3cret", "mine-s3cret", "7"]);
      assert.deepEqual(only(await environmentOf(two)), ["other-s3cret", undefined, undefined]);
      assert.deepEqual(only(await environmentOf(nobody)), [undefined, undefined, undefined]);
    }
    assert.doesNotMatch(one.reference, /s3cret|id=/);
  });

  test("takes POSTs with the same values or none, and refuses others", async (t) => {
    const { url } = await setUp(t, { sharedSession: false });
    const client = await connectSse(t, url, { headers: MINE });
    for (const headers of [{}, MINE, { "x-token": MINE["x-token"] }, { "x-token": "" }]) {
      assert.equal((await client.post(call("environment"), headers)).status, 202);
    }
    await assertFixed(client.post(call("environment"), OTHER), "TOKEN");
    await assertFixed(client.post(call("environment"), { authorization: "Bearer other-s3cret" }), "PASS");
    const nobody = await connectSse(t, url);
    await assertFixed(nobody.post(call("environment"), MINE), "TOKEN");
  });

  test("is not opened with a value that is not valid", async (t) => {
    const { url, pids } = await setUp(t, { sharedSession: false });
    const response = await within(fetch(`${url}/sse?id=a&id=b`), WAIT_MS, "an answer");
    assert.equal(response.status, 400);
    assert.deepEqual(pids(), []);
  });

  test("takes the key for no value", async (t) => {
    const { url } = await setUp(t, { sharedSession: false, authKeys: [KEY] });
    const headers = { authorization: `Bearer ${KEY}`, "x-token": KEY };
    const client = await connectSse(t, url, { path: `/sse?id=${KEY}`, headers });
    assert.equal((await client.post(call("environment"), headers)).status, 202);
    assert.deepEqual(only(await environmentOf(client)), [undefined, undefined, undefined]);
  });
});

describe("a session of streamable HTTP with a process of its own", () => {
  test("has the values of its initialize", async (t) => {
    const { url } = await setUp(t, { sessions: "independent" });
    const one = await connectStreamable(t, url, { path: "/mcp?id=7", headers: MINE });
    const two = await connectStreamable(t, url, { headers: OTHER });
    const nobody = await connectStreamable(t, url);
    assert.deepEqual(only(await environmentOf(one)), ["mine-s3cret", "mine-s3cret", "7"]);
    assert.deepEqual(only(await environmentOf(two)), ["other-s3cret", undefined, undefined]);
    assert.deepEqual(only(await environmentOf(nobody)), [undefined, undefined, undefined]);
  });

  test("takes requests with the same values or none, and refuses others", async (t) => {
    const { url } = await setUp(t, { sessions: "independent" });
    const { id } = await connectStreamable(t, url, { headers: MINE });
    const session = { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" };
    const send = (headers: object, method = "POST"): Promise<Response> => {
      const init = post(call("environment"), { ...session, ...headers });
      const rest = method === "POST" ? init : { method, headers: init.headers };
      return within(fetch(`${url}/mcp`, rest), WAIT_MS, "an answer");
    };
    for (const headers of [{}, MINE, { authorization: MINE.authorization }]) {
      const response = await send(headers);
      assert.equal(response.status, 200);
      assert.match(await response.text(), /mine-s3cret/);
    }
    for (const method of ["POST", "GET", "DELETE"]) await assertFixed(send(OTHER, method), "TOKEN");
    assert.equal((await send(MINE, "DELETE")).status, 204);
  });

  test("keeps them for the next process when one ends", async (t) => {
    process.env["TOKEN"] = "ours";
    t.after(() => delete process.env["TOKEN"]);
    const config = { envFrom: { TOKEN: "header:x-token" } };
    const options = { sessions: "independent", passEnv: ["*"], config } as const;
    const { url, starts } = await serveSessions(t, "dumps-environment", options);
    const client = await connectStreamable(t, url, { headers: MINE });
    const { error } = await client.call("crash");
    assert.equal(error?.data?.["reason"], "exited");
    const environment = JSON.parse(textOf(await client.call("environment"))) as Environment;
    assert.equal(environment["TOKEN"], "mine-s3cret");
    assert.equal(starts(), 2);
  });

  test("leaves a request without a session the values of its own", async (t) => {
    const { url } = await setUp(t, { sessions: "independent" });
    await connectStreamable(t, url, { headers: MINE });
    const response = await within(
      fetch(`${url}/mcp`, post(call("environment"), OTHER)),
      WAIT_MS,
      "an answer",
    );
    const text = await response.text();
    assert.match(text, /other-s3cret/);
    assert.doesNotMatch(text, /mine-s3cret/);
  });
});

describe("a process that clients share", () => {
  test("takes no values from a stream, and has none of ours", async (t) => {
    const { url, pids } = await setUp(t, { sharedSession: true });
    await assertFixed(fetch(`${url}/sse`, { headers: MINE }), "TOKEN");
    await assertFixed(fetch(`${url}/sse?id=s3cret`), "ID");
    assert.deepEqual(pids(), []);
    const client = await connectSse(t, url);
    assert.deepEqual(only(await environmentOf(client)), [undefined, undefined, undefined]);
    await assertFixed(client.post(call("environment"), MINE), "TOKEN");
  });

  test("takes none from a session of streamable HTTP, nor from a request without one", async (t) => {
    const { url, pids } = await setUp(t, { sessions: "shared" });
    const send = (body: object, headers: Readonly<Record<string, string>>): Promise<Response> =>
      fetch(`${url}/mcp`, post(body, headers));
    await assertFixed(send(initialize(), MINE), "TOKEN");
    await assertFixed(send(call("environment"), MINE), "TOKEN");
    assert.deepEqual(pids(), []);
    const client = await connectStreamable(t, url);
    assert.deepEqual(only(await environmentOf(client)), [undefined, undefined, undefined]);
    await assertFixed(client.post(call("environment"), MINE), "TOKEN");
  });

  test("lets a client of 2026-07-28 bring its own, as it has a process for itself", async (t) => {
    const { url, token } = await setUp(t, { sessions: "shared" });
    const { headers, ...init } = modernCall("environment");
    const request = { ...init, headers: { ...Object(headers), ...OTHER } };
    const response = await within(fetch(`${url}/mcp`, request), WAIT_MS, "an answer");
    assert.match(await response.text(), /other-s3cret/);
    await waitUntilGone(token);
  });

  test("is used with the key as bearer token", async (t) => {
    const { url } = await setUp(t, { sharedSession: true, authKeys: [KEY] });
    const client = await connectSse(t, url, { headers: { authorization: `Bearer ${KEY}` } });
    assert.deepEqual(only(await environmentOf(client)), [undefined, undefined, undefined]);
  });
});
