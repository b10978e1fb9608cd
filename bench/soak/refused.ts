import assert from "node:assert/strict";

import { modern, modernCall } from "../../test/support/modern.ts";
import { call, post } from "../../test/support/rpc.ts";
import { Refused, ask, send } from "./client.ts";
import type { Outgoing } from "./client.ts";
import { callOf, textOf } from "./job.ts";
import type { Job, Kind } from "./job.ts";

/** What is refused before a process is started for it, and what needs none. */
export const REFUSED: Readonly<Record<string, Kind>> = {
  "a wrong key": { weight: 2, run: refuses(401, post(call("count"), { authorization: "Bearer wrong" })) },
  "no JSON": { weight: 2, run: refuses(400, post("{]")) },
  "a member that stands twice": {
    weight: 1,
    run: refuses(400, post('{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}')),
  },
  "JSON that is nested without end": { weight: 1, run: refuses(400, post("[".repeat(100_000))) },
  "no UTF-8": { weight: 1, run: refuses(400, { ...post(""), body: Buffer.of(0x22, 0xff, 0x22) }) },
  "another type than JSON": { weight: 1, run: refuses(415, post("{}", { "content-type": "text/plain" })) },
  "a type that is not served": { weight: 1, run: refuses(406, post(call("count"), { accept: "image/png" })) },
  "a body that is too large": { weight: 2, run: tooLarge },
  "a server that is not there": { weight: 2, run: refuses(404, post(call("count")), "/mcp/nobody") },
  "a path that is not there": { weight: 1, run: refuses(404, { method: "GET" }, "/nowhere") },
  "a variable that is not allowed": {
    weight: 2,
    run: refuses(400, post(call("count")), "/mcp/counter?TOKEN=x"),
  },
  "a variable that is never allowed": {
    weight: 1,
    run: refuses(400, post(call("environment")), "/mcp/environment?LD_PRELOAD=x"),
  },
  "a method that is not served": { weight: 2, run: refuses(405, { method: "GET" }) },
  "another page's origin": {
    weight: 1,
    run: refuses(403, post(call("count"), { origin: "https://evil.example" })),
  },
  "another host's name": { weight: 1, run: refuses(403, post(call("count"), { host: "evil.example" })) },
  "a header that says something else": {
    weight: 1,
    run: refuses(400, modernCall("count", {}, { headers: { "mcp-name": "other" } })),
  },
  "a method of the older revisions": { weight: 1, run: refuses(404, modern("ping")) },
  "a question before a request": { weight: 2, run: (job) => status(job, 204, { method: "OPTIONS" }) },
  "a look at the health": { weight: 2, run: (job) => status(job, 200, { method: "GET" }, "/health") },
  "a list of the servers": { weight: 1, run: (job) => status(job, 200, { method: "GET" }, "/servers") },
  "more requests than places": { weight: 1, run: overload },
};

function refuses(expected: number, outgoing: Outgoing, path = "/mcp/counter"): Kind["run"] {
  return async ({ door }) => {
    const { status, text, messages } = await ask(door, path, outgoing, true);
    assert.equal(status, expected, text);
    assert.ok(messages[0]?.error, `no JSON-RPC error: ${text}`);
  };
}

async function status(
  { door }: Job,
  expected: number,
  outgoing: Outgoing,
  path = "/mcp/counter",
): Promise<void> {
  const { status, text } = await ask(door, path, outgoing, true);
  assert.equal(status, expected, text);
}

const TOO_LARGE_BYTES = 5 * 1024 ** 2;

/** Said beforehand, or not. The adapter may end the connection before all is written. */
async function tooLarge({ door, random }: Job): Promise<void> {
  const body = JSON.stringify(" ".repeat(TOO_LARGE_BYTES));
  const { headers } = post("");
  const length = random.below(2) === 0 ? {} : { "content-length": String(body.length) };
  const sent = send(door, "/mcp/counter", { method: "POST", headers: { ...headers, ...length } });
  sent.request.write(body);
  sent.request.end();
  try {
    const incoming = await sent.head;
    assert.equal(incoming.statusCode, 413);
    await incoming.resume().toArray();
  } catch (error) {
    if (!["EPIPE", "ECONNRESET"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    sent.leave();
  }
}

const BURST = 40;

/** Each is answered, or refused since there is no room. */
async function overload(job: Job): Promise<void> {
  const one = async (): Promise<void> => assert.equal(textOf(await callOf(job, "counter", "count")), "1");
  const results = await Promise.allSettled(Array.from({ length: BURST }, one));
  for (const result of results) {
    if (result.status === "rejected" && !(result.reason instanceof Refused)) throw result.reason;
  }
}
