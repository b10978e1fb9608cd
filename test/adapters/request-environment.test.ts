import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import type { ServeOptions } from "../../lib/adapters/node.ts";
import type { ServerConfig } from "../../lib/index.ts";
import { until, within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { modernCall, textOf } from "../support/modern.ts";
import type { Answer } from "../support/modern.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call, notification, post } from "../support/rpc.ts";

const WAIT_MS = 15_000;
const SECRET = "s3cret-of-one-caller";

interface Line {
  readonly [field: string]: unknown;
}

interface Setup {
  readonly url: string;
  readonly token: string;
  /** The variables of the process that answers. */
  readonly variables: (query: string, init?: RequestInit) => Promise<Readonly<Record<string, string>>>;
  readonly ask: (query: string, init?: RequestInit) => Promise<Answer & { readonly status: number }>;
  readonly lines: Line[];
}

interface Options extends Partial<ServeOptions> {
  readonly config?: Partial<ServerConfig>;
  readonly name?: string;
}

/** The adapter over one fixture; after the test it is closed, and no process may be left. */
async function setUp(t: TestContext, { config, name = "environment", ...options }: Options): Promise<Setup> {
  const { command, args, token } = fixture(name);
  const lines: Line[] = [];
  const note = (fields: object, message: string): void => void lines.push({ ...fields, message });
  const logger = { debug: note, info: note, warn: note, error: note };
  const mcpServers = { only: { command, args, ...config } };
  const server = await serve({ mcpServers, port: 0, logger, ...options });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  const ask: Setup["ask"] = async (query, init = post(call("environment"))) => {
    const response = await within(fetch(`${server.url}/mcp${query}`, init), WAIT_MS, "an answer");
    return { ...((await response.json()) as Answer), status: response.status };
  };
  return {
    url: server.url,
    token,
    ask,
    lines,
    variables: async (query, init) => {
      const { env } = JSON.parse(textOf(await ask(query, init))) as { env: Record<string, string> };
      return env;
    },
  };
}

describe("a variable in the URL", () => {
  for (const [era, init] of [
    ["legacy", post(call("environment"))],
    ["modern", modernCall("environment")],
  ] as const) {
    test(`is set for the ${era} request that brings it, and absent from the next`, async (t) => {
      const { variables, token, lines } = await setUp(t, { allowEnv: ["TOKEN", "DB_*"] });
      const first = await variables(`?TOKEN=${SECRET}&DB_NAME=a%26b`, init);
      assert.deepEqual([first["TOKEN"], first["DB_NAME"]], [SECRET, "a&b"]);
      await waitUntilGone(token);
      const second = await variables("", init);
      assert.deepEqual([second["TOKEN"], second["DB_NAME"]], [undefined, undefined]);
      assert.ok(!JSON.stringify(lines).includes(SECRET), "the value is in the log");
    });
  }

  test("is never seen by another request at the same time", async (t) => {
    const { variables } = await setUp(t, { allowEnv: ["*"] });
    const callers = ["first", "second", "third", undefined];
    const seen = await Promise.all(
      callers.map((value) => variables(value === undefined ? "" : `?TOKEN=${value}&ONLY_${value}=1`)),
    );
    assert.deepEqual(
      seen.map(({ TOKEN }) => TOKEN),
      callers,
    );
    for (const [index, env] of seen.entries()) {
      const own = callers[index] === undefined ? [] : [`ONLY_${callers[index]}`];
      assert.deepEqual(
        Object.keys(env).filter((name) => name.startsWith("ONLY_")),
        own,
      );
    }
  });

  test("wins over what the operator has set, for this request", async (t) => {
    const { variables } = await setUp(t, { allowEnv: ["MODE"], config: { env: { MODE: "ours" } } });
    assert.equal((await variables("?MODE=theirs"))["MODE"], "theirs");
    assert.equal((await variables("?MODE="))["MODE"], "");
    assert.equal((await variables(""))["MODE"], "ours");
  });

  test("comes beside the key, which stays here", async (t) => {
    const { variables } = await setUp(t, { allowEnv: ["*"], authKeys: ["the-k3y"] });
    const env = await variables(`?auth_key=the-k3y&TOKEN=${SECRET}`);
    assert.equal(env["TOKEN"], SECRET);
    assert.ok(!JSON.stringify(env).includes("the-k3y"), "the key reached the server");
  });

  test("is allowed by a server's own list, in place of the host's", async (t) => {
    const { ask, variables } = await setUp(t, { allowEnv: ["HOSTS"], config: { allowEnv: ["ITS_OWN"] } });
    assert.equal((await variables("?ITS_OWN=1"))["ITS_OWN"], "1");
    assert.equal((await ask("?HOSTS=1")).status, 400);
  });

  test("is refused by a server whose own list is empty", async (t) => {
    const { ask } = await setUp(t, { allowEnv: ["*"], config: { allowEnv: [] } });
    assert.equal((await ask("?ANY=1")).status, 400);
  });

  for (const inputMode of ["rerun", "hold"] as const) {
    test(`belongs to the question that is asked under ${inputMode}: a retry brings the same`, async (t) => {
      const stateSecrets = ["a secret of the tests that is long enough"];
      const { ask, token } = await setUp(t, {
        name: "legacy-asks",
        allowEnv: ["TOKEN"],
        inputMode,
        stateSecrets,
      });
      const asked = { capabilities: { elicitation: {} } };
      const { result } = await ask("?TOKEN=a", modernCall("ask-one", {}, asked));
      const requestState = String(result?.["requestState"]);
      const retry = { ...asked, requestState, inputResponses: { q0: { action: "decline" } } };
      for (const query of ["", "?TOKEN=b"]) {
        const { error } = await ask(query, modernCall("ask-one", {}, retry));
        assert.equal(error?.code, -32602);
      }
      assert.match(textOf(await ask("?TOKEN=a", modernCall("ask-one", {}, retry))), /"decline"/);
      await waitUntilGone(token);
    });
  }

  const refused: readonly (readonly [query: string, names: RegExp])[] = [
    [`?OTHER=${SECRET}`, /"OTHER".*--allow-env/],
    [`?LD_PRELOAD=${SECRET}`, /"LD_PRELOAD" can never/],
    [`?node%5foptions=${SECRET}`, /"node_options" can never/],
    [`?TOKEN=${SECRET}&TOKEN=x`, /"TOKEN".*twice/],
    [`?TOKEN=${SECRET}%00`, /"TOKEN".*NUL/],
    [`?TO.KEN=${SECRET}`, /"TO\.KEN".*not the name/],
  ];
  for (const [query, message] of refused) {
    test(`is refused, starts nothing and is told nowhere: ${query.replace(SECRET, "…")}`, async (t) => {
      const { ask, token, lines } = await setUp(t, { allowEnv: ["TOKEN"] });
      const answer = await ask(query);
      assert.deepEqual([answer.status, answer.error?.code, answer.id], [400, -32600, 1]);
      assert.match(answer.error?.message ?? "", message);
      const noted = await ask(query, post(notification("notifications/initialized")));
      assert.equal(noted.status, 400);
      assert.deepEqual(processesWith(token), []);
      assert.ok(!JSON.stringify([answer, lines]).includes(SECRET), "the value is told");
    });
  }

  test("is masked in what a failing server prints", async (t) => {
    const { ask, lines } = await setUp(t, { name: "prints-environment", allowEnv: ["TOKEN"] });
    const { error } = await ask(`?TOKEN=${SECRET}`);
    assert.equal(error?.data?.["reason"], "protocol");
    const findReport = (): Line | undefined => lines.find(({ reason }) => reason === "protocol");
    const report = await until(findReport, { withinMs: WAIT_MS, label: "the failure is in the log" });
    assert.match(String(report["message"]), /refused to initialize: bad token \*\*\*/);
    assert.match(String(report["stderr"]), /^bad token \*\*\*/);
    assert.ok(!JSON.stringify(lines).includes(SECRET), "the value is in the log");
  });
});
