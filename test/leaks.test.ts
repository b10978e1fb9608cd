import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { until, within } from "./support/deadline.ts";
import { readAll, readEvents } from "./support/event-stream.ts";
import { temporaryFolder, waitForLine } from "./support/files.ts";
import { bigText, fixture } from "./support/fixture.ts";
import { modern, modernCall } from "./support/modern.ts";
import { descriptorsOf, isAlive, processesWith, waitUntilGone, zombiesOf } from "./support/processes.ts";
import { call, post } from "./support/rpc.ts";
import type { Post } from "./support/rpc.ts";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

const NAMES = [
  "big",
  "counter",
  "crashes-in-call",
  "ignores-sigterm",
  "legacy-asks",
  "legacy-exits-on-discover",
  "legacy-watches",
  "modern-only",
  "progress",
  "silent",
  "silent-in-call",
  "slow",
  "spawns-grandchild",
] as const;

type Name = (typeof NAMES)[number];

/** As README.md says: end of stdin, SIGTERM after 100 ms, SIGKILL a second later. */
const GRACE_MS = 1100;
/** For the operating system to do what it was told. */
const MARGIN_MS = 250;
const WAIT_MS = 10_000;
const AT_ONCE = 8;

/** The Node adapter as a process of its own, and what it could leave behind. */
interface Adapter {
  readonly pid: number;
  /** Where its servers may write. */
  readonly folder: string;
  readonly tokens: Readonly<Record<Name, string>>;
  readonly send: (name: Name, body: object, signal?: AbortSignal) => Promise<Response>;
  readonly sendPost: (name: Name, init: Post, signal?: AbortSignal) => Promise<Response>;
  /** Resolves when no server is left. */
  quiet(withinMs?: number): Promise<void>;
  /** The entries of its TMPDIR. */
  temporaryFiles(): Promise<string[]>;
}

interface Answer {
  readonly result?: {
    readonly content: readonly { readonly text: string }[];
    readonly requestState?: string;
  };
  readonly error?: { readonly data?: { readonly reason?: string } };
}

async function answerOf(response: Response): Promise<Answer> {
  return (await response.json()) as Answer;
}

async function textOf(response: Response): Promise<string | undefined> {
  return (await answerOf(response)).result?.content[0]?.text;
}

async function reasonOf(response: Response): Promise<string | undefined> {
  return (await answerOf(response)).error?.data?.reason;
}

async function startAdapter(t: TestContext): Promise<Adapter> {
  const folder = await temporaryFolder(t);
  const fixtures = NAMES.map((name) => [name, fixture(name)] as const);
  const servers = fixtures.map(([name, { command, args }]) => {
    return [name, { command, args, requestTimeoutMs: name === "silent-in-call" ? 200 : WAIT_MS }];
  });
  const tokens = Object.fromEntries(fixtures.map(([name, { token }]) => [name, token])) as Adapter["tokens"];
  const [config, temporary] = [join(folder, "mcp.json"), join(folder, "tmp")];
  await mkdir(temporary);
  await writeFile(config, JSON.stringify({ mcpServers: Object.fromEntries(servers), default: "counter" }));
  // A HOME that cannot be written makes Mayfly give every server one in TMPDIR: there is something to remove.
  const env = { ...process.env, TMPDIR: temporary, HOME: join(folder, "no-home") };
  const options = ["--config", config, "--port", "0", "--max-processes", "32", "--input-mode", "hold"];
  const child = spawn(process.execPath, [MAIN, ...options], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const quiet = async (withinMs = WAIT_MS): Promise<void> => {
    const gone = Object.entries(tokens).map(([name, token]) =>
      waitUntilGone(token, { withinMs, label: `${name} is gone` }),
    );
    await Promise.all(gone);
  };
  t.after(async () => {
    await stop(child);
    await quiet();
  });
  const url = await within(urlIn(child.stdout), WAIT_MS, "the adapter listens");
  const sendPost: Adapter["sendPost"] = (name, init, signal) =>
    within(postTo(`${url}/mcp/${name}`, init, signal), WAIT_MS, `an answer of ${name}`);
  return {
    pid: child.pid ?? 0,
    folder,
    tokens,
    quiet,
    send: (name, body, signal) => sendPost(name, post(body), signal),
    sendPost,
    temporaryFiles: () => readdir(temporary),
  };
}

/** Not fetch: that keeps connections, also after an abort, and they would count as descriptors left open. */
function postTo(url: string, { body: text, ...options }: Post, signal?: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ...options, agent: false, ...(signal && { signal }) }, (incoming) => {
      const { statusCode = 0, headers } = incoming;
      const type = headers["content-type"] ?? "";
      resolve(
        new Response(incoming as AsyncIterable<Uint8Array>, {
          status: statusCode,
          headers: { "content-type": type },
        }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end(text);
  });
}

function urlIn(stdout: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    // Goes on reading: the adapter prints an example later.
    const lines = createInterface({ input: stdout });
    lines.on("line", (line) => {
      const [, url] = /^Mayfly listens on (http:\/\/[^/\s]+)\/mcp/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
    lines.once("close", () => reject(new Error("the adapter ended before it listened; is dist/ built?")));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill();
  try {
    await within(exited, WAIT_MS, "the adapter stops");
  } finally {
    child.kill("SIGKILL");
  }
}

/** Runs the jobs with so many of them at the same time. */
async function atOnce(jobs: readonly (() => Promise<void>)[], limit: number): Promise<void> {
  const queue = jobs.values();
  const work = async (): Promise<void> => {
    for (const job of queue) await job();
  };
  const results = await Promise.allSettled(Array.from({ length: limit }, work));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

type Ending = (adapter: Adapter, index: number) => Promise<void>;

const BIG_BYTES = 1024 ** 2;
/** More than the sockets hold: the adapter is still writing when the client goes away. */
const TOO_BIG_BYTES = 16 * 1024 ** 2;

const ANSWERED: Readonly<Record<string, Ending>> = {
  async "an answer"(adapter) {
    assert.equal(await textOf(await adapter.send("counter", call("count"))), "1");
  },
  async "an event stream"(adapter) {
    const meta = { progressToken: 1 };
    const frames = await readAll(
      await adapter.send("progress", call("progress", { steps: 3, delayMs: 5 }, { meta })),
    );
    assert.match(frames.at(-1)?.data ?? "", /3 steps done/);
  },
  async "a big answer"(adapter) {
    const text = await textOf(await adapter.send("big", call("big", { bytes: BIG_BYTES })));
    assert.ok(text === bigText(BIG_BYTES), "the big answer is whole");
  },
  async "a timeout"(adapter) {
    assert.equal(await reasonOf(await adapter.send("silent-in-call", call("any"))), "timeout");
  },
  async "a crash"(adapter) {
    assert.equal(await reasonOf(await adapter.send("crashes-in-call", call("any"))), "exited");
  },
  async "an answer, from a server that ignores SIGTERM"(adapter) {
    assert.equal(await textOf(await adapter.send("ignores-sigterm", call("any"))), "ok");
  },
  async "an answer, from a server with a child of its own"(adapter) {
    assert.match((await textOf(await adapter.send("spawns-grandchild", call("any")))) ?? "", /^\d+$/);
  },
  async "an answer to a modern client, from a server of its era"(adapter) {
    const { result } = await answerOf(await adapter.sendPost("modern-only", modernCall("count")));
    assert.ok(result);
  },
  async "an answer to a modern client, from a server that may not survive the probe"(adapter) {
    const { result } = await answerOf(await adapter.sendPost("legacy-exits-on-discover", modernCall("echo")));
    assert.ok(result);
  },
  async "an answer of the user, for which the process has waited"(adapter) {
    const capabilities = { elicitation: {} };
    const asked = await answerOf(
      await adapter.sendPost("legacy-asks", modernCall("ask-one", {}, { capabilities })),
    );
    const requestState = asked.result?.requestState;
    const retry = { capabilities, requestState, inputResponses: { q0: { action: "decline" } } };
    const text = await textOf(await adapter.sendPost("legacy-asks", modernCall("ask-one", {}, retry)));
    assert.match(text ?? "", /decline/);
  },
  async "another answer"(adapter) {
    assert.equal(await textOf(await adapter.send("counter", call("count"))), "1");
  },
};

const ABANDONED: Readonly<Record<string, Ending>> = {
  async "the client goes while the server starts"(adapter) {
    const client = new AbortController();
    const response = adapter.send("silent", call("any"), client.signal);
    await until(() => processesWith(adapter.tokens.silent).length > 0, {
      withinMs: WAIT_MS,
      label: "the server starts",
    });
    client.abort();
    await assert.rejects(response, { name: "AbortError" });
  },
  async "the client goes while the tool runs"(adapter, index) {
    await abandonCall(adapter, join(adapter.folder, `log-${index}`));
  },
  async "the client leaves a subscription"(adapter) {
    const client = new AbortController();
    const init = modern("subscriptions/listen", { notifications: { toolsListChanged: true } });
    const events = readEvents(await adapter.sendPost("legacy-watches", init, client.signal));
    await within(events.next(), WAIT_MS, "the acknowledgement");
    client.abort();
    await assert.rejects(drain(events));
  },
  async "the client goes in the middle of an event stream"(adapter) {
    const client = new AbortController();
    const body = call("progress", { steps: 10_000, delayMs: 20 }, { meta: { progressToken: 1 } });
    const events = readEvents(await adapter.send("progress", body, client.signal));
    await within(events.next(), WAIT_MS, "the first message");
    client.abort();
    await assert.rejects(drain(events));
  },
  async "the client goes in the middle of a big answer"(adapter) {
    const client = new AbortController();
    const response = await adapter.send("big", call("big", { bytes: TOO_BIG_BYTES }), client.signal);
    const reader = response.body!.getReader();
    await within(reader.read(), WAIT_MS, "the first bytes");
    client.abort();
    await assert.rejects(async () => {
      while (!(await reader.read()).done);
    });
  },
};

/** A third of them: the client goes away. */
const ENDINGS = Object.entries({ ...ANSWERED, ...ABANDONED });

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

/** The client goes away when the call has reached the server. */
async function abandonCall({ send }: Adapter, file: string): Promise<{ pid: number; leftAt: number }> {
  const client = new AbortController();
  const response = send("slow", call("wait", { file }), client.signal);
  const line = await waitForLine(file, /^called/, { withinMs: WAIT_MS });
  const leftAt = performance.now();
  client.abort();
  await assert.rejects(response, { name: "AbortError" });
  return { pid: Number(line.split(" ")[1]), leftAt };
}

/** The number of descriptors, when it has stayed the same for twenty looks in a row. */
async function settledDescriptors(pid: number): Promise<number> {
  let [last, looks] = [descriptorsOf(pid), 0];
  const same = (): boolean => {
    const now = descriptorsOf(pid);
    looks = now === last ? looks + 1 : 0;
    last = now;
    return looks >= 20;
  };
  await until(same, { withinMs: WAIT_MS, label: "the number of descriptors stays the same" });
  return last ?? 0;
}

test("the adapter as a process of its own", async (t) => {
  const adapter = await startAdapter(t);

  await t.test("fifty requests, eight at a time, each meet a process that has seen no other", async () => {
    const texts: (string | undefined)[] = [];
    const job = async (): Promise<void> => {
      texts.push(await textOf(await adapter.send("counter", call("count"))));
    };
    await atOnce(
      Array.from({ length: 50 }, () => job),
      AT_ONCE,
    );
    assert.deepEqual(texts, Array.from({ length: 50 }).fill("1"));
  });

  await t.test("two hundred requests that end in every way leave nothing behind", async (t) => {
    await atOnce(
      ENDINGS.map(
        ([, ending], index) =>
          () =>
            ending(adapter, 1000 + index),
      ),
      AT_ONCE,
    );
    await adapter.quiet();
    const descriptors = await settledDescriptors(adapter.pid);
    const jobs = Array.from({ length: 200 }, (_, index) => {
      const [title, ending] = ENDINGS[index % ENDINGS.length]!;
      return async (): Promise<void> => {
        await ending(adapter, index).catch((cause: unknown) => {
          throw new Error(`request ${index}, ${title}`, { cause });
        });
      };
    });
    await atOnce(jobs, AT_ONCE);
    await adapter.quiet(GRACE_MS + MARGIN_MS * 4);
    await until(() => zombiesOf(adapter.pid).length === 0, { withinMs: 1000, label: "no zombie is left" });
    await until(() => (descriptorsOf(adapter.pid) ?? 0) <= descriptors, {
      withinMs: 2000,
      label: () => `${descriptors} open files as before, not ${descriptorsOf(adapter.pid)}`,
    });
    // Caches outlive a process on purpose.
    const homes = async (): Promise<string[]> =>
      (await adapter.temporaryFiles()).filter((name) => !name.startsWith("mayfly-cache-"));
    await until(async () => (await homes()).length === 0, { withinMs: WAIT_MS, label: "TMPDIR is empty" });
    t.diagnostic(`${descriptors} open files before, ${descriptorsOf(adapter.pid)} after`);
    assert.equal(await textOf(await adapter.send("counter", call("count"))), "1");
  });

  await t.test(
    "a client that goes away ends the process, mostly within 250 ms, always within a second",
    async (t) => {
      const times: number[] = [];
      for (let run = 0; run < 10; run++) {
        const { pid, leftAt } = await abandonCall(adapter, join(adapter.folder, `gone-${run}`));
        await until(() => !isAlive(pid), { withinMs: WAIT_MS, label: "the process is gone" });
        times.push(Math.round(performance.now() - leftAt));
      }
      t.diagnostic(`milliseconds from the abort to the end: ${times.join(", ")}`);
      const sorted = times.toSorted((one, other) => one - other);
      // A busy machine may give no time to one of them for a while, but not to most.
      assert.ok(sorted[5]! <= MARGIN_MS && sorted.at(-1)! <= 1000, `milliseconds: ${times.join(", ")}`);
    },
  );

  await t.test(
    "a group that ignores SIGTERM is gone after the grace, and no client waits for it",
    async (t) => {
      const startedAt = performance.now();
      const grandchild = Number(await textOf(await adapter.send("spawns-grandchild", call("any"))));
      const answeredAt = performance.now();
      assert.ok(isAlive(grandchild), "the answer is out while the group still runs");
      assert.equal(processesWith(adapter.tokens["spawns-grandchild"]).length, 2);
      await waitUntilGone(adapter.tokens["spawns-grandchild"], { withinMs: GRACE_MS + MARGIN_MS * 4 });
      const [answerMs, goneMs] = [answeredAt - startedAt, performance.now() - startedAt].map(Math.round);
      t.diagnostic(`answered after ${answerMs} ms, gone after ${goneMs} ms`);
      // From the question: how long the answer was on its way to here is nothing of the grace.
      assert.ok((goneMs ?? 0) >= GRACE_MS, `the grace was not given: ${goneMs} ms`);
    },
  );
});
