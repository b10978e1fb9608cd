import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import type { HttpEvent } from "../../lib/adapters/lambda/platform.ts";
import { FIXTURES, STATE_SECRET, contract, contractServers } from "../contract.ts";
import type { Platform, Without } from "../contract.ts";
import { until, within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { testToken } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";
import { deploy } from "./deployment.ts";
import type { Deployment } from "./deployment.ts";
import { CREDENTIALS, NO_RUNTIME, RUNTIME, startEnvironment } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { eventV1, eventV2, sent } from "./events.ts";
import { forwardBuffered, forwardStream, startFront } from "./front.ts";
import { createPool } from "./pool.ts";

const OPEN = { ALLOW_ANONYMOUS: "true", STATE_SECRET };
const LOST_CLIENTS = "Lambda tells no function that its client has gone";

/** A function in environments of the real runtime client, behind HTTP. */
async function open(token: string, handler: "handler" | "buffered"): Promise<Platform> {
  const deployment = await deploy(contractServers(FIXTURES, token));
  const pool = createPool(() => startEnvironment(deployment.folder, `index.${handler}`, OPEN));
  const forward = handler === "handler" ? forwardStream : forwardBuffered;
  const front = await startFront(pool, eventV2, forward);
  return {
    fetch: (path, init) => fetch(front.url + path, init),
    settled: async () => {
      await within(pool.idle(), 20_000, "all environments are at rest");
      return processesWith(token).map(({ command }) => command);
    },
    stop: async () => {
      front.stop();
      await pool.stop();
      await deployment.remove();
    },
  };
}

const runtime = RUNTIME === undefined ? { skip: NO_RUNTIME } : { concurrency: false };

describe("the Lambda runtime client", runtime, () => {
  const buffered = "a buffered answer is sent when it is complete";
  const notBuffered: Without = {
    lostClients: LOST_CLIENTS,
    streams: buffered,
    largeAnswers: "a buffered answer may have 6 MiB",
    earlyAnswers: buffered,
  };
  contract("a streaming Lambda function", (token) => open(token, "handler"), { lostClients: LOST_CLIENTS });
  contract("a buffered Lambda function", (token) => open(token, "buffered"), notBuffered);
});

describe("an environment of the Lambda runtime client", runtime, () => {
  const token = testToken();
  let deployment: Deployment;
  let environment: Environment;
  before(async () => {
    deployment = await deploy(contractServers(FIXTURES, token));
    environment = await startEnvironment(deployment.folder, "index.handler", OPEN);
  });
  after(async () => {
    await environment.stop();
    await deployment.remove();
    await waitUntilGone(token);
  });

  const eventFor = (server: string, body: object, headers: Record<string, string> = {}): HttpEvent =>
    eventV2(sent(`/mcp/${server}`, post(body, headers)));

  /** The whole answer of an invocation, and of its end what stands behind the body. */
  const run = async (event: unknown, on: Environment = environment, clientContext?: object) => {
    const posted = await on.invoke({ event, ...(clientContext && { clientContext }) });
    const text = Buffer.concat(await posted.body.toArray()).toString("utf8");
    await within(on.idle(), 20_000, "the runtime asks for more");
    return { ...posted, text, trailers: posted.body.trailers };
  };

  test("gets each message in a chunk of its own, before the next one is made", async (t) => {
    const gate = join(await temporaryFolder(t), "step-");
    const body = call("progress", { steps: 3, gate }, { meta: { progressToken: 1 } });
    const { body: stream } = await environment.invoke({ event: eventFor("progress", body) });
    const seen: string[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      seen.push(chunk.toString("utf8"));
      const step = (seen.join("").match(/notifications\/progress/g) ?? []).length + 1;
      if (/data:/.test(seen.join(""))) await writeFile(`${gate}${step}`, "");
    }
    await environment.idle();
    const steps = seen.filter((chunk) => chunk.includes("notifications/progress"));
    assert.equal(steps.length, 3, `one chunk for each step: ${JSON.stringify(seen)}`);
  });

  test("has no process of a hundred invocations when it may be frozen", async () => {
    const left: number[] = [];
    for (let count = 0; count < 100; count++) {
      const { text } = await run(eventFor("counter", call("count")));
      left.push(processesWith(token).length);
      assert.match(text, /"text":"1"/);
    }
    assert.deepEqual(
      left,
      Array.from({ length: 100 }, () => 0),
    );
  });

  test("keeps the credentials of its role from servers, also with PASS_ENV=*", async () => {
    const open = await startEnvironment(deployment.folder, "index.handler", {
      ...OPEN,
      PASS_ENV: "*",
      EXTRA: "x",
    });
    try {
      const { text } = await run(eventFor("environment", call("environment")), open);
      assert.match(text, /\\"EXTRA\\":\\"x\\"/);
      for (const canary of Object.values(CREDENTIALS)) assert.ok(!text.includes(canary), canary);
      assert.doesNotMatch(text, /AWS_|_HANDLER|_X_AMZN|LAMBDA_/);
    } finally {
      await open.stop();
    }
  });

  test("answers an event of another source with an error, and works on", async () => {
    const { trailers, text } = await run({ Records: [] });
    assert.deepEqual([text, trailers["lambda-runtime-function-error-type"]], ["", "TypeError"]);
    assert.match((await run(eventFor("counter", call("count")))).text, /"text":"1"/);
  });

  test("calls a tool for AgentCore Gateway", async () => {
    const context = { custom: { bedrockAgentCoreToolName: "echo___echo" } };
    const { body, text } = await run({ message: 1 }, environment, context);
    assert.equal(body.headers["content-type"], "application/json");
    assert.match(text, /^\{"content":\[\{"type":"text"/);
  });

  test("calls a tool with the buffered handler, and reports why a call failed", async () => {
    const buffered = await startEnvironment(deployment.folder, "index.buffered", OPEN);
    const named = (name: string) => ({ custom: { bedrockAgentCoreToolName: name } });
    try {
      const result = await run({ message: 1 }, buffered, named("echo___echo"));
      assert.match(result.text, /^\{"content":\[\{"type":"text"/);
      const failed = await run({}, buffered, named("crashes-in-call___any"));
      assert.equal(failed.kind, "error");
      assert.match(
        failed.text,
        /"errorType":"ToolCallFailed","errorMessage":"The server \\"crashes-in-call\\"/,
      );
      const rest = await run(eventV1(sent("/mcp/echo", post(call("echo")))), buffered);
      assert.match(rest.text, /"multiValueHeaders":\{.*"content-type":\["application\/json"\]/);
    } finally {
      await buffered.stop();
    }
  });

  test("ends all servers when it is told to stop", async () => {
    const stopped = await startEnvironment(deployment.folder, "index.handler", OPEN);
    const invoked = stopped.invoke({ event: eventFor("slow", call("wait")) });
    invoked.catch(() => undefined);
    await until(() => processesWith(token).length > 0, { withinMs: 10_000, label: "the server runs" });
    await stopped.stop();
    await waitUntilGone(token, { withinMs: 500 });
  });
});

describe("a Lambda function whose handler fails", runtime, () => {
  let deployment: Deployment;
  let environment: Environment;
  before(async () => {
    deployment = await deploy({});
    environment = await startEnvironment(deployment.folder, "broken.handler");
  });
  after(async () => {
    await environment.stop();
    await deployment.remove();
  });

  const run = async (path: string) => {
    const { body } = await environment.invoke({
      event: eventV2(sent(path, post(call("any", {}, { id: 42 })))),
    });
    const text = Buffer.concat(await body.toArray()).toString("utf8");
    await within(environment.idle(), 20_000, "the runtime asks for more");
    const [head = "", answer = ""] = text.split("\0".repeat(8));
    const { statusCode } = JSON.parse(head) as { statusCode: number };
    return { statusCode, answer, trailers: body.trailers };
  };

  test("answers what is thrown with 500 and a JSON-RPC error", async () => {
    const { statusCode, answer } = await run("/throws");
    const { error } = JSON.parse(answer) as { error: { code: number } };
    assert.deepEqual([statusCode, error.code], [500, -32603]);
    assert.doesNotMatch(answer, /canary/);
    assert.match(environment.log(), /canary of a thrown error/);
  });

  test("ends a stream that breaks off with an error message, and works on", async () => {
    const { statusCode, answer } = await run("/breaks-off");
    const [, last = ""] = answer.trimEnd().split("\n\n");
    assert.equal(statusCode, 200);
    assert.match(last, /^event: message\ndata: \{"jsonrpc":"2.0","id":42,"error":\{"code":-32603/);
    assert.doesNotMatch(answer, /canary/);
    assert.equal((await run("/works")).statusCode, 200);
  });

  test("tells the platform of JSON that breaks off, and works on", async () => {
    const { trailers } = await run("/breaks-off-in-json");
    assert.equal(trailers["lambda-runtime-function-error-type"], "Error");
    assert.equal((await run("/works")).statusCode, 200);
  });
});
