import assert from "node:assert/strict";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { followConfig } from "../../lib/cli/live-config.ts";
import { ConfigurationError } from "../../lib/index.ts";
import type { McpConfig } from "../../lib/index.ts";
import { startServing } from "../support/command.ts";
import type { ServingCommand } from "../support/command.ts";
import { until, within } from "../support/deadline.ts";
import { temporaryFolder } from "../support/files.ts";
import { fixture } from "../support/fixture.ts";
import type { Fixture } from "../support/fixture.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, post } from "../support/rpc.ts";

const WAIT_MS = 15_000;
/** Until a change must have been taken over: about a second, and what a machine needs that is busy with requests. */
const LIVE_MS = 10_000;

interface Entry {
  readonly msg: string;
  readonly reason?: string;
  readonly [field: string]: unknown;
}

interface Live extends ServingCommand {
  readonly file: string;
  readonly write: (content: unknown) => Promise<void>;
  readonly replace: (content: unknown) => Promise<void>;
  /** What the log says about the configuration. */
  readonly told: () => Entry[];
}

/** `mayfly` in front of a file. */
async function setUp(
  t: TestContext,
  config: object,
  token: string,
  words: readonly string[] = [],
): Promise<Live> {
  const folder = await temporaryFolder(t);
  const file = join(folder, "mcp.json");
  const textOf = (content: unknown): string =>
    typeof content === "string" ? content : JSON.stringify(content);
  const write = (content: unknown): Promise<void> => writeFile(file, textOf(content));
  await write(config);
  const serving = await startServing(t, ["--config", file, "--port", "0", ...words], { token });
  return {
    ...serving,
    file,
    write,
    replace: async (content) => {
      await writeFile(`${file}.new`, textOf(content));
      await rename(`${file}.new`, file);
    },
    told: () =>
      serving
        .stderr()
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Entry)
        .filter(({ msg }) => msg.startsWith("The configuration")),
  };
}

function server({ command, args }: Fixture, env: Readonly<Record<string, string>> = {}): object {
  return { command, args, env };
}

async function toolText(url: string, name: string): Promise<string> {
  const response = await within(fetch(url, post(call(name))), WAIT_MS, `an answer of ${url}`);
  const body = (await response.json()) as { result?: { content: { text: string }[] } };
  return body.result?.content[0]?.text ?? JSON.stringify(body);
}

async function envOf(url: string): Promise<Record<string, string>> {
  return (JSON.parse(await toolText(url, "environment")) as { env: Record<string, string> }).env;
}

test("no request is lost while the file is edited 20 times", async (t) => {
  const [counter, environment] = [fixture("counter"), fixture("environment")];
  const base = { steady: server(counter), changing: server(environment, { VERSION: "0" }) };
  const live = await setUp(t, { mcpServers: base }, counter.token, ["-e", "LINE=1"]);
  t.after(() => waitUntilGone(environment.token));
  const state = { isOver: false, answers: 0, failures: [] as string[] };
  const load = ["steady", "changing"].map(async (name) => {
    while (!state.isOver) {
      const response = await fetch(
        `${live.url}/mcp/${name}`,
        post(call(name === "steady" ? "count" : "environment")),
      );
      const text = await response.text();
      if (!text.includes('"result"')) state.failures.push(`${response.status} ${text}`);
      state.answers += 1;
    }
  });
  const edit = async (index: number): Promise<void> => {
    const put = index % 2 === 0 ? live.write : live.replace;
    const version = String(index + 1);
    if (index % 4 >= 2) {
      const before = live.told().length;
      await put(index % 3 === 0 ? '{"mcpServers": {' : { mcpServers: { steady: { comand: "x" } } });
      await until(() => live.told().length > before, {
        withinMs: LIVE_MS,
        label: `edit ${index} is reported`,
      });
      return;
    }
    await put({ mcpServers: { ...base, changing: server(environment, { VERSION: version }) } });
    const isLive = async (): Promise<boolean> =>
      (await envOf(`${live.url}/mcp/changing`))["VERSION"] === version;
    await until(isLive, {
      withinMs: LIVE_MS,
      label: () => `edit ${index} is live: ${live.stderr().slice(-500)}`,
    });
  };
  try {
    for (let index = 0; index < 20; index += 1) await edit(index);
  } finally {
    state.isOver = true;
    await within(Promise.all(load), WAIT_MS, "the last answers");
  }
  assert.deepEqual(state.failures, []);
  assert.ok(state.answers > 40, `only ${state.answers} answers`);
  const env = await envOf(`${live.url}/mcp/changing`);
  assert.deepEqual([env["LINE"], env["VERSION"]], ["1", "18"]);
  const told = live.told();
  assert.equal(told.filter(({ reason }) => reason !== undefined).length, 10);
  assert.deepEqual(told.find(({ changed }) => changed)?.["changed"], ["changing"]);
  assert.doesNotMatch(live.stderr(), /VERSION/);
});

test("a server that is left out is gone, and one that comes is there; names are logged, and nothing else", async (t) => {
  const [slow, counter] = [fixture("progress"), fixture("counter")];
  const env = { KEY: "s3cret-value" };
  const live = await setUp(
    t,
    { mcpServers: { goes: server(slow, env), stays: server(counter) } },
    counter.token,
  );
  const running = fetch(`${live.url}/mcp/goes`, post(call("progress", { steps: 20, delayMs: 150 })));
  await until(() => processesWith(slow.token).length > 0, { withinMs: WAIT_MS, label: "the call runs" });
  await live.replace({
    mcpServers: { stays: server(counter), comes: server(counter, env) },
    default: "comes",
  });
  const status = async (path: string): Promise<number> =>
    (await within(fetch(`${live.url}${path}`, post(call("count"))), WAIT_MS, "an answer")).status;
  await until(async () => (await status("/mcp/comes")) === 200, { withinMs: LIVE_MS, label: "it has come" });
  assert.deepEqual(
    [await status("/mcp/goes"), await status("/mcp/stays"), await status("/mcp")],
    [404, 200, 200],
  );
  assert.match(await (await within(running, WAIT_MS, "the end of the call")).text(), /20 steps done/);
  await waitUntilGone(slow.token);
  const [{ level, time, file, ...told } = { msg: "" }] = live.told();
  assert.deepEqual([level, typeof time, file], [30, "number", live.file]);
  const names = { added: ["comes"], removed: ["goes"], default: "comes" };
  assert.deepEqual(told, { ...names, msg: "The configuration has been taken over" });
  assert.doesNotMatch(live.stderr(), /s3cret/);
});

test("what is wrong is logged with the file, the place and the reason, and then that it is right again", async (t) => {
  const counter = fixture("counter");
  const config = { mcpServers: { a: server(counter) } };
  const live = await setUp(t, config, counter.token);
  const next = async (count: number): Promise<Entry> => {
    await until(() => live.told().length >= count, {
      withinMs: LIVE_MS,
      label: () => `${count}: ${live.stderr()}`,
    });
    return live.told()[count - 1] ?? { msg: "" };
  };
  await live.write('{\n  "mcpServers": {a}\n}');
  assert.match((await next(1)).reason ?? "", /mcp\.json:2:18: not valid JSON$/);
  await live.write({ mcpServers: { a: { command: "x", env: { B: "${NOT_SET_ANYWHERE}" } } } });
  assert.match((await next(2)).reason ?? "", /mcp\.json: mcpServers\.a\.env\.B: .*NOT_SET_ANYWHERE/);
  await live.write({ mcpServers: { a: { command: "x", inputMode: "rerun" } } });
  assert.match((await next(3)).reason ?? "", /^mcpServers\.a: inputMode "rerun" needs a secret/);
  await rm(live.file);
  assert.match((await next(4)).reason ?? "", /mcp\.json: cannot be read \(ENOENT\)$/);
  assert.equal(await toolText(`${live.url}/mcp`, "count"), "1");
  await live.write(config);
  const { reason, added, changed, msg } = await next(5);
  assert.deepEqual([reason, added, changed], [undefined, undefined, undefined]);
  assert.match(msg, /taken over/);
});

test("a watched file does not keep the command alive", async (t) => {
  const counter = fixture("counter");
  const { process, exit } = await setUp(t, { mcpServers: { a: server(counter) } }, counter.token);
  process.kill("SIGTERM");
  assert.equal((await exit()).code, 0);
});

describe("a reading", () => {
  const works: McpConfig = { mcpServers: { a: { command: "x" } } };

  function follow(reconfigure: (config: McpConfig) => void) {
    const lines: [string, object][] = [];
    const log = (level: string) => (fields: object) => void lines.push([level, fields]);
    const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
    return {
      lines,
      use: followConfig(works, { file: "f.json", paths: ["/mcp", "/sse"] }, { reconfigure }, logger),
    };
  }

  test("that says what is so already is not told", () => {
    const given: McpConfig[] = [];
    const { lines, use } = follow((config) => given.push(config));
    use({ content: structuredClone(works) });
    assert.deepEqual([lines, given], [[], [works]]);
  });

  test("that leaves no server for the bare paths is a warning that names them", () => {
    const { lines, use } = follow(() => undefined);
    const both = { mcpServers: { a: { command: "x" }, b: { command: "x" } } };
    use({ content: both });
    use({ content: { ...both, default: "b" } });
    use({ content: both });
    use({ content: structuredClone(both) });
    const warned = ["warn", { file: "f.json", paths: ["/mcp", "/sse"] }];
    assert.deepEqual(lines, [
      ["info", { file: "f.json", added: ["b"] }],
      warned,
      ["info", { file: "f.json", default: "b" }],
      ["info", { file: "f.json", default: null }],
      warned,
    ]);
  });

  test("with programs that are not there is taken over, with a warning for each, once", () => {
    const lines: unknown[] = [];
    const note = (fields: object): void => void lines.push(fields);
    const logger = { debug: note, info: note, warn: note, error: note };
    const config = { mcpServers: { ...works.mcpServers, b: { command: "nowhere" } }, default: "a" };
    const missing = () => [{ server: "b", command: "nowhere" }];
    const names = { file: "f.json", paths: [] };
    const use = followConfig(
      { ...works, default: "a" },
      names,
      { reconfigure: () => undefined },
      logger,
      missing,
    );
    use({ content: config });
    use({ content: structuredClone(config) });
    assert.deepEqual(lines, [
      { file: "f.json", added: ["b"] },
      { file: "f.json", server: "b", command: "nowhere" },
    ]);
  });

  test("counts as what is so, also where the search for programs fails by a fault of ours", () => {
    const lines: [level: string, fields: object][] = [];
    const log = (level: string) => (fields: object) => void lines.push([level, fields]);
    const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
    const missing = () => {
      throw new TypeError("a fault");
    };
    const names = { file: "f.json", paths: [] };
    const use = followConfig(works, names, { reconfigure: () => undefined }, logger, missing);
    const other = { mcpServers: { b: { command: "x" } } };
    use({ content: other });
    use({ content: structuredClone(other) });
    assert.deepEqual(lines[0], ["info", { file: "f.json", added: ["b"], removed: ["a"] }]);
    assert.match(JSON.stringify(lines[1]), /^\["error",.*TypeError: a fault.*at /);
    assert.equal(lines.length, 2);
  });

  test("that the handler refuses does not count as what is so", () => {
    const other = { mcpServers: { b: { command: "x" } } };
    const answers = [new ConfigurationError("no"), undefined];
    const { lines, use } = follow(() => {
      const error = answers.shift();
      if (error) throw error;
    });
    use({ content: other });
    use({ content: other });
    assert.deepEqual(lines, [
      ["error", { file: "f.json", reason: "no" }],
      ["info", { file: "f.json", added: ["b"], removed: ["a"] }],
    ]);
  });

  test("that fails by a fault of ours is told with its stack, and the next one counts", () => {
    const { lines, use } = follow(() => undefined);
    use({ error: new TypeError("a fault") });
    use({ content: { ...works, default: "a" } });
    assert.match(JSON.stringify(lines[0]), /TypeError: a fault.*at /);
    assert.deepEqual(lines[1], ["info", { file: "f.json", default: "a" }]);
  });
});
