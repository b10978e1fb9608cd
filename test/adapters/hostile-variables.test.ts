import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import { OWN } from "../../lib/environment.ts";
import { NEVER_SETTABLE } from "../../lib/never-settable.ts";
import { within } from "../support/deadline.ts";
import { fixture } from "../support/fixture.ts";
import { textOf } from "../support/modern.ts";
import type { Answer } from "../support/modern.ts";
import { casesOf, concrete } from "../support/never-settable.ts";
import { processesWith, waitUntilGone } from "../support/processes.ts";
import { call } from "../support/rpc.ts";

const WAIT_MS = 15_000;
const SECRET = "s3cret-value";
const AT_ONCE = 32;

interface Answered {
  readonly status: number;
  readonly body: string;
}

interface Setup {
  /** One POST as these bytes of its target and of a header more, which no client has made better. */
  readonly raw: (target: string, header?: string) => Promise<Answered>;
  /** How many processes were started. */
  readonly started: () => number;
  readonly token: string;
  readonly log: () => string;
}

/** The adapter that lets a URL set whatever may be set, over a server that has headers as sources. */
async function setUp(t: TestContext): Promise<Setup> {
  const { command, args, token } = fixture("environment");
  const lines: object[] = [];
  const note = (fields: object, message: string): void => void lines.push({ ...fields, message });
  let started = 0;
  const envFrom = { FROM_HEADER: "header:x-token", FROM_BEARER: "bearer", FROM_QUERY: "query:from-query" };
  const server = await serve({
    mcpServers: { only: { command, args, envFrom } },
    port: 0,
    allowEnv: ["*"],
    logger: { debug: note, info: note, warn: note, error: note },
    onMessage: (_server, direction, text) =>
      void (direction === "in" && /initialize"/.test(text) && (started += 1)),
  });
  t.after(async () => {
    await within(server.close(0), WAIT_MS, "the adapter closes");
    await waitUntilGone(token);
  });
  const port = Number(new URL(server.url).port);
  return {
    raw: (target, header = "") => within(exchange(port, target, header), WAIT_MS, `an answer to ${target}`),
    started: () => started,
    token,
    log: () => JSON.stringify(lines),
  };
}

/** Bytes beyond ASCII are written as characters of Latin-1. */
async function exchange(port: number, target: string, header: string): Promise<Answered> {
  const body = JSON.stringify(call("environment"));
  const head = [
    `POST ${target} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Content-Type: application/json",
    "Accept: application/json, text/event-stream",
    `Content-Length: ${body.length}`,
    "Connection: close",
    ...(header === "" ? [] : [header]),
  ];
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`, "latin1");
  await new Promise((resolve, reject) => socket.once("close", resolve).once("error", reject));
  const text = Buffer.concat(chunks).toString();
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), body: text };
}

async function refuseAll(t: TestContext, targets: readonly string[], header?: string): Promise<void> {
  const { raw, started, token, log } = await setUp(t);
  const refuse = async (target: string): Promise<void> => {
    const { status, body } = await raw(target, header);
    assert.equal(status, 400, `${target} is answered with ${status}`);
    assert.ok(!body.includes(SECRET), `the answer to ${target} tells the value`);
  };
  for (let at = 0; at < targets.length; at += AT_ONCE) {
    await Promise.all(targets.slice(at, at + AT_ONCE).map(refuse));
  }
  assert.deepEqual([started(), processesWith(token)], [0, []]);
  assert.ok(!log().includes(SECRET), "the log tells a value");
}

function percent(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

const NAMES = [...NEVER_SETTABLE, ...OWN].flatMap(concrete);

describe("a URL parameter is refused, and starts nothing, where everything is allowed", () => {
  // All cases of each are tried without HTTP. auth_key is the key, which an adapter without one does not look at.
  const isKeys = (name: string): boolean => name === "auth_key";

  test("for every name that no request can set, in any case", { timeout: 120_000 }, async (t) => {
    const names = NAMES.flatMap((name, at) => casesOf(name)[at % 3] ?? name).filter((name) => !isKeys(name));
    await refuseAll(
      t,
      names.map((name) => `/mcp?${name}=${SECRET}`),
    );
  });

  test(
    "for every such name with its letters escaped, beside an allowed one",
    { timeout: 120_000 },
    async (t) => {
      await refuseAll(
        t,
        NAMES.map((name) => `/mcp?A=1&${percent(name)}=${SECRET}`),
      );
    },
  );

  const spoken: readonly (readonly [what: string, names: readonly string[]])[] = [
    ["full-width letters", [percent("ＰＡＴＨ"), percent("ＬＤ_PRELOAD")]],
    [
      "a long s, a Kelvin sign, a dotless and a dotted i",
      ["SſL_CERT_FILE", "DOC\u212AER_HOST", "ıFS", "İFS", "bashopt\u017f"].map(percent),
    ],
    ["combining marks", ["PA\u0301TH", "PATH\u0301", "\u0301PATH"].map(percent)],
    ["letters of other alphabets", ["РATH", "PΑTH", "PATНEXT", "LD_РRELOAD"].map(percent)],
    ["invisible characters", ["PA\u200bTH", "PATH\u00ad", "\ufeffPATH", "PATH\u202e"].map(percent)],
    ["letters that are escaped twice", ["%2550ATH", "%2550%2541%2554%2548", "LD%255FPRELOAD"]],
    ["escapes that are none", ["%50ATH%", "PATH%zz", "%u0050ATH"]],
    ["a plus", ["+PATH", "PATH+", "PA+TH", "LD+PRELOAD"]],
    [
      "spaces, tabs and line ends",
      ["%20PATH", "PATH%20", "PATH%09", "PATH%0a", "%0dPATH", "PATH%0b", "PATH%a0"],
    ],
    ["a NUL", ["PATH%00", "%00PATH", "PATH%00X", "A%00"]],
    ["overlong UTF-8", ["%c1%90ATH", "%e0%81%90ATH", "PATH%c0%80", "%f0%80%81%90ATH"]],
    ["bytes that are no UTF-8", ["%ffPATH", "PATH%80", "PA%fe%ffTH", "%ed%a0%80PATH"]],
    ["raw bytes beyond ASCII", ["PATH\xe9", "\xffPATH"]],
    ["an equals sign inside", ["PATH%3dx", "A%3DPATH", "%3d"]],
    ["nothing as a name", [""]],
    ["what every object has, where it would be lost", ["__proto__", "%5f%5fproto%5F%5f"]],
    ["brackets, as other servers read objects", ["PATH[]", "env[PATH]", "PATH%5B0%5D", "__proto__[PATH]"]],
  ];
  for (const [what, names] of spoken) {
    test(`for names with ${what}`, async (t) => {
      await refuseAll(
        t,
        names.flatMap((name) => [`/mcp?${name}=${SECRET}`, `/mcp?A=1&${name}=${SECRET}&B=2`]),
      );
    });
  }

  test("for a name that stands there twice, however it is written", async (t) => {
    const twice = [
      "A=1&A=2",
      "A=1&%41=2",
      "A&A",
      "A=1&B=2&A=1",
      "A=1&PATH=2",
      "PATH=1&PATH=2",
      "from-query=1&from-query=2",
    ];
    await refuseAll(
      t,
      [...twice, "from-query=1&from%2dquery=2"].map((query) => `/mcp?${query}`),
    );
  });

  test("for values with a NUL, or that are no UTF-8", async (t) => {
    const values = ["%00", "x%00y", "%c0%80", "%ff", "%ed%a0%80", "%f4%90%80%80"];
    await refuseAll(
      t,
      values.flatMap((value) => [`/mcp?A=${SECRET}${value}`, `/mcp?from-query=${SECRET}${value}`]),
    );
  });

  test("for Mayfly's own parameters of other paths", async (t) => {
    await refuseAll(
      t,
      ["session_id", "sessionId", "deep", "%64eep"].map((name) => `/mcp?${name}=1`),
    );
  });

  test("also at the other paths of the server", async (t) => {
    await refuseAll(t, ["/mcp/only?PATH=x", "/servers/only/mcp?PATH=x", "/mcp/only?__proto__=x"]);
  });
});

describe("a header that is a source is refused, and starts nothing", () => {
  const values: readonly (readonly [what: string, value: string])[] = [
    ["with a NUL", `${SECRET}\0`],
    ["with a byte of Latin-1", `${SECRET}\xe9`],
    ["with UTF-8", Buffer.from(`${SECRET}世`).toString("latin1")],
    ["with overlong UTF-8", `${SECRET}\xc0\x80`],
    ["with a control character", `${SECRET}\x01`],
    ["with an escape of terminals", `${SECRET}\x1b[31m`],
    ["with a DEL", `${SECRET}\x7f`],
    ["with a line end alone", `${SECRET}\nPATH: x`],
    ["with a carriage return alone", `${SECRET}\rPATH: x`],
    ["that is folded", `${SECRET}\r\n folded`],
    ["with a tab", `${SECRET}\tx`],
  ];
  for (const [what, value] of values) {
    test(what, async (t) => {
      await refuseAll(t, ["/mcp"], `X-Token: ${value}`);
      await refuseAll(t, ["/mcp"], `Authorization: Bearer ${value}`);
    });
  }
});

test("names of what every object has are names like others", async (t) => {
  const { raw } = await setUp(t);
  const { status, body } = await raw("/mcp?constructor=1&prototype=2&toString=3&hasOwnProperty=4");
  assert.equal(status, 200, body);
  const answer = JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1)) as Answer;
  const { env } = JSON.parse(textOf(answer)) as { env: object };
  const found = Object.entries(env).filter(([name]) => name in Object.prototype || name === "prototype");
  assert.deepEqual(Object.fromEntries(found), {
    constructor: "1",
    prototype: "2",
    toString: "3",
    hasOwnProperty: "4",
  });
});

test("headers that are called like variables set none", async (t) => {
  const { raw } = await setUp(t);
  const { status, body } = await raw(
    "/mcp",
    "LD_PRELOAD: x-was-set\r\nFROM_HEADER: x-was-set\r\nX-Tokens: x-was-set",
  );
  assert.equal(status, 200);
  assert.ok(!body.includes("x-was-set"), body);
});
