import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { within } from "../support/deadline.ts";
import type { Message } from "../support/live-stream.ts";
import { call } from "../support/rpc.ts";
import { pidOf, serveSessions, textOf } from "../support/sessions.ts";
import { connectSse } from "../support/sse-client.ts";
import { connectStreamable } from "../support/streamable-client.ts";

const WAIT_MS = 60_000;
/** Of both clients together; `npm run test:interleaved` makes 10 000. */
const CALLS = Number(process.env["INTERLEAVED_CALLS"] ?? 1000);
/** Calls of one client that have no answer yet: more wait for no process, but for the machine. */
const IN_FLIGHT = 20;

/** A client that sends a call and gives all that came of it. */
interface Sender {
  /** @param id also the progress token */
  run(id: number, value: string): Promise<readonly Message[]>;
}

type Connect = (t: TestContext, url: string) => Promise<Sender>;

/** Everything comes on one stream, and is told apart by id and token. */
const overSse: Connect = async (t, url) => {
  const waiting = new Map<unknown, { readonly messages: Message[]; readonly resolve: () => void }>();
  const onMessage = (message: Message): void => {
    const entry = waiting.get(message.id ?? message.params?.["progressToken"]);
    entry?.messages.push(message);
    if (isAnswer(message)) entry?.resolve();
  };
  const client = await connectSse(t, url, { onMessage });
  await client.initialize();
  return {
    async run(id, value) {
      const messages: Message[] = [];
      const answer = new Promise<void>((resolve) => waiting.set(id, { messages, resolve }));
      await client.send(echo(id, value));
      await within(answer, WAIT_MS, `the answer to ${id}`);
      return messages;
    },
  };
};

/** Every answer is the stream of its own POST. */
const overStreamable: Connect = async (t, url) => {
  const client = await connectStreamable(t, url);
  return {
    async run(id, value) {
      const response = await client.post(echo(id, value));
      const lines = (await response.text()).split("\n");
      return lines.flatMap((line) => {
        const data = /^data: ?(\S.*)$/.exec(line)?.[1];
        return data === undefined ? [] : [JSON.parse(data) as Message];
      });
    },
  };
};

for (const [transport, connect, pid] of [
  ["HTTP+SSE", overSse, async (t: TestContext, url: string) => pidOf(await connectSse(t, url))],
  [
    "streamable HTTP",
    overStreamable,
    async (t: TestContext, url: string) => pidOf(await connectStreamable(t, url)),
  ],
] as const) {
  test(`over ${transport}, ${CALLS} calls with equal ids and tokens reach their own clients`, async (t) => {
    const { url } = await serveSessions(t, "scrambles", { sharedSession: true, sessions: "shared" });
    await bothRun([await connect(t, url), await connect(t, url)], CALLS / 2, (messages, id, value) => {
      assert.deepEqual(messages.map(contentOf), [value, value]);
      assert.deepEqual(
        messages.map((message) => message.id ?? message.params?.["progressToken"]),
        [id, id],
      );
    });
  });

  test(`over ${transport}, a server that is killed in the middle leaves nobody waiting`, async (t) => {
    const { url } = await serveSessions(t, "scrambles", { sharedSession: true, sessions: "shared" });
    const clients = [await connect(t, url), await connect(t, url)] as const;
    const first = await pid(t, url);
    let [answered, failed] = [0, 0];
    await bothRun(clients, 1000, (messages, _id, value) => {
      const answer = messages.find(isAnswer);
      if (answer?.error) {
        assert.deepEqual([answer.error.code, answer.error.data?.["reason"]], [-32603, "exited"]);
        failed += 1;
      } else {
        assert.deepEqual(messages.map(contentOf), [value, value]);
        answered += 1;
        if (answered === 500) process.kill(first, "SIGKILL");
      }
    });
    assert.equal(answered + failed, 2000);
    assert.ok(failed > 0, "the server was killed between two calls");
    assert.ok(answered > 500, "the service did not go on");
    assert.notEqual(await pid(t, url), first);
  });
}

type Check = (messages: readonly Message[], id: number, value: string) => void;

/** Both clients send the same ids, with other values. */
async function bothRun(clients: readonly Sender[], count: number, check: Check): Promise<void> {
  const runs = clients.map(async (client, index) => {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let id = (next += 1); id <= count; id = next += 1) {
        const value = `${index}/${id}`;
        check(await client.run(id, value), id, value);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  });
  await Promise.all(runs);
}

function echo(id: number, value: string): object {
  return call("echo", { value }, { id, meta: { progressToken: id } });
}

function isAnswer({ method }: Message): boolean {
  return method === undefined;
}

/** What the server says, in its progress and in its answer. */
function contentOf(message: Message): unknown {
  return isAnswer(message) ? textOf(message) : message.params?.["message"];
}
