import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { MayflyError } from "../../lib/errors.ts";
import type { ErrorCode } from "../../lib/errors.ts";
import { classify, messagesIn } from "../../lib/request/classify.ts";
import type { Incoming } from "../../lib/request/classify.ts";

const PV = "io.modelcontextprotocol/protocolVersion";
const CI = "io.modelcontextprotocol/clientInfo";
const CC = "io.modelcontextprotocol/clientCapabilities";
const LL = "io.modelcontextprotocol/logLevel";
const VERSION = "2026-07-28";
const META = { [PV]: VERSION, [CC]: {} };
const CLIENT = { name: "client", version: "1", title: "A client" };
const STRICT = { lenientVersionHeader: false };
const LENIENT = { lenientVersionHeader: true };

/** A header that is absent is undefined here. */
type Values = Readonly<Record<string, string | readonly string[] | undefined>>;

interface Post {
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly meta?: unknown;
  /** Raw text, in place of all of these. */
  readonly text?: string;
  /** Instead of, or beside, those that the request must have. */
  readonly headers?: Values;
  readonly rules?: { readonly lenientVersionHeader: boolean };
}

function classified(post: Post): Incoming {
  const { method = "tools/list", params, meta = META, headers, rules = STRICT } = post;
  const body = { jsonrpc: "2.0", id: 7, method, params: { ...params, _meta: meta } };
  const values: Values = { "MCP-Protocol-Version": VERSION, "Mcp-Method": method, ...headers };
  const sent = new Headers();
  for (const [name, value] of Object.entries(values)) {
    for (const one of [value].flat()) if (one !== undefined) sent.append(name, one);
  }
  return classify(messagesIn(post.text ?? JSON.stringify(body)), sent, rules);
}

function infoOf(characters: number): object {
  return { name: "a".repeat(characters), version: "1" };
}

/** The wire form of each code. Source: 2026-07-28/basic, Error Codes; basic/transports/streamable-http. */
const WIRE: Partial<Record<ErrorCode, readonly [status: number, rpcCode: number]>> = {
  INVALID_ENVELOPE: [400, -32_602],
  ENVELOPE_MISSING: [400, -32_602],
  INVALID_FILTER: [400, -32_602],
  HEADER_MISMATCH: [400, -32_020],
  HEADER_WITHOUT_ENVELOPE: [400, -32_020],
  VERSION_NOT_SUPPORTED: [400, -32_022],
  METHOD_NOT_SERVED: [404, -32_601],
  NOT_A_MESSAGE: [400, -32_600],
};

function refused(post: Post, code: ErrorCode, message: RegExp, data?: unknown, id = "7"): void {
  assert.throws(
    () => classified(post),
    (error) => {
      assert.equal(error instanceof MayflyError ? error.code : error, code);
      const { status, rpcCode, id: named, ...rest } = error as MayflyError;
      assert.deepEqual([status, rpcCode, named], [...(WIRE[code] ?? []), id]);
      assert.deepEqual(rest.data, data);
      assert.match((error as MayflyError).message, message);
      return true;
    },
  );
}

describe("a modern request", () => {
  test("says who calls, and is kept as it is written", () => {
    const meta = {
      [PV]: VERSION,
      [CI]: CLIENT,
      [CC]: { roots: {}, tasks: {}, experimental: { x: 1 } },
      [LL]: "info",
    };
    const text = ` { "jsonrpc":"2.0", "id":9007199254740993 , "method":"tools/list","params":{"_meta":${JSON.stringify(meta)}}}`;
    const { client, requests, answers, batch, id, ...rest } = classified({ text });
    assert.deepEqual(client, {
      era: "modern",
      handshake: {
        protocolVersion: "2025-11-25",
        clientInfo: CLIENT,
        capabilities: { roots: {}, experimental: { x: 1 } },
      },
      logLevel: "info",
    });
    assert.deepEqual(
      requests.map((request) => request.text),
      [text],
    );
    assert.deepEqual([answers, batch, id, rest], [[], false, "9007199254740993", {}]);
  });

  test("needs not say who calls", () => {
    const { client } = classified({});
    assert.deepEqual(client?.handshake.clientInfo, { name: "mcp-mayfly", version: "0.1.0" });
    assert.equal(client?.logLevel, undefined);
  });

  test("has no session, and does not look at that of another (Earlier Streamable HTTP Revisions)", () => {
    const incoming = classified({ headers: { "Mcp-Session-Id": "1.broken", "Last-Event-ID": "7" } });
    assert.deepEqual([incoming.session, incoming.sessionToken], [undefined, undefined]);
  });

  const good: readonly (readonly [what: string, post: Post])[] = [
    [
      "with the version twice, by a gateway",
      { headers: { "MCP-Protocol-Version": [VERSION, ` ${VERSION}`] } },
    ],
    [
      "with space around its headers",
      { headers: { "MCP-Protocol-Version": `\t${VERSION} `, "Mcp-Method": " tools/list\t" } },
    ],
    ["with a name", { method: "tools/call", params: { name: "a b" }, headers: { "Mcp-Name": "a b" } }],
    [
      "with space around its name",
      { method: "tools/call", params: { name: "a" }, headers: { "Mcp-Name": " a\t" } },
    ],
    [
      "with an encoded name",
      { method: "prompts/get", params: { name: "世" }, headers: { "Mcp-Name": "=?base64?5LiW?=" } },
    ],
    [
      "with an encoded name that is plain",
      { method: "prompts/get", params: { name: "a" }, headers: { "Mcp-Name": "=?base64?YQ==?=" } },
    ],
    [
      "with a URI",
      {
        method: "resources/read",
        params: { uri: "file:///a", name: "b" },
        headers: { "Mcp-Name": "file:///a" },
      },
    ],
    [
      "with a name that is empty",
      { method: "tools/call", params: { name: "" }, headers: { "Mcp-Name": "" } },
    ],
    ["without a name, where the server will miss it", { method: "tools/call" }],
    ["with a name that nothing asks for", { headers: { "Mcp-Name": "caf\u00E9" } }],
    [
      "with members twice where no header looks",
      {
        text: `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"a":{"x":1,"x":2},"_meta":${JSON.stringify(META)}}}`,
      },
    ],
    ["of an unknown method", { method: "x/y" }],
    ["that discovers", { method: "server/discover" }],
    ["that listens", { method: "subscriptions/listen", params: { notifications: {} } }],
  ];
  for (const [what, post] of good) {
    test(`is taken ${what}`, () => {
      assert.equal(classified(post).client?.era, "modern");
      assert.equal(classified(post).id, "7");
    });
  }
});

describe("an envelope is refused", () => {
  const rows: readonly (readonly [what: string, meta: unknown, message: RegExp])[] = [
    ["with a version that is no string", { ...META, [PV]: 20_260_728 }, /protocolVersion is not a string$/],
    ["with a version that is null", { ...META, [PV]: null }, /protocolVersion is not a string$/],
    ["without capabilities", { [PV]: VERSION }, /clientCapabilities is not an object$/],
    ["with capabilities that are a list", { ...META, [CC]: [] }, /clientCapabilities is not an object$/],
    [
      "with a client without a version",
      { ...META, [CI]: { name: "a" } },
      /clientInfo has no name or no version$/,
    ],
    ["with an unknown log level", { ...META, [LL]: "loud" }, /logLevel is not a log level$/],
  ];
  for (const [what, meta, message] of rows) {
    test(what, () => refused({ meta }, "INVALID_ENVELOPE", message));
  }

  function text(params: string): string {
    return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${params}}`;
  }
  const [pv, cc] = [`"${PV}":"${VERSION}"`, `"${CC}":{}`];
  const deep = `{"_meta":{${pv},${cc},"a":${"[".repeat(200)}${"]".repeat(200)}}}`;
  const twice: readonly (readonly [what: string, params: string, key: RegExp])[] = [
    [
      "in which the version stands twice",
      `{"_meta":{${pv},${pv},${cc}}}`,
      /"io\.modelcontextprotocol\/protocolVersion" stands there twice/,
    ],
    [
      "in which the version stands twice, once with escapes",
      `{"_meta":{${pv},${pv.replace("/p", "\\u002fp")},${cc}}}`,
      /protocolVersion" stands there twice/,
    ],
    ["in which anything stands twice", `{"_meta":{${pv},"a":1,${cc},"a":1}}`, /"a" stands there twice/],
    ["that stands twice", `{"_meta":{},"_meta":{${pv},${cc}}}`, /"_meta" stands there twice/],
    [
      "beside a name that stands twice",
      `{"name":"a","_meta":{${pv},${cc}},"name":"b"}`,
      /"name" stands there twice/,
    ],
    [
      "beside a very long name that stands twice",
      `{"${"x".repeat(999)}":1,"${"x".repeat(999)}":1,"_meta":{${pv},${cc}}}`,
      /"x{128}…" stands there twice/,
    ],
  ];
  for (const [what, params, message] of twice) {
    test(what, () =>
      refused(
        { text: text(params), headers: { "Mcp-Method": "tools/call", "Mcp-Name": "b" } },
        "NOT_A_MESSAGE",
        message,
      ),
    );
  }

  test("that is nested too deeply", () =>
    refused(
      { text: text(deep), headers: { "Mcp-Method": "tools/call" } },
      "INVALID_ENVELOPE",
      /nested too deeply/,
    ));

  test("beside members that some programs take for others", () => {
    for (const params of [
      `{"Name":"x","name":"b","_meta":{${pv},${cc}}}`,
      `{"_META":{},"_meta":{${pv},${cc}}}`,
    ]) {
      refused({ text: text(params) }, "NOT_A_MESSAGE", /written in another case/);
    }
  });

  test("with more members than anybody writes", () => {
    const many = Array.from({ length: 1000 }, (_, at) => `"m${at}":0`).join();
    refused({ text: text(`{"_meta":{${pv},${cc},${many}}}`) }, "NOT_A_MESSAGE", /more than 1000 members/);
  });

  test("that says more about the client than is kept", () => {
    const said = (characters: number): Post => ({
      meta: { ...META, ["io.modelcontextprotocol/clientInfo"]: infoOf(characters) },
    });
    refused(said(65_536), "INVALID_ENVELOPE", /says more than 65536 characters about the client/);
    assert.equal(classified(said(65_000)).id, "7");
  });

  test("that is nested 201 levels deep, and no sooner", () => {
    const params = `{"_meta":{${pv},${cc},"a":${"[".repeat(199)}"]"${"]".repeat(199)}}}`;
    assert.equal(classified({ text: text(params), headers: { "Mcp-Method": "tools/call" } }).id, "7");
  });
});

describe("a header is refused", () => {
  const call = { method: "tools/call", params: { name: "a" } };
  const VERSIONS = "MCP-Protocol-Version";
  const rows: readonly (readonly [what: string, post: Post, message: RegExp])[] = [
    ["without a version", { headers: { [VERSIONS]: undefined } }, /MCP-Protocol-Version is missing$/],
    [
      "with another version",
      { headers: { [VERSIONS]: "2027-01-01" } },
      /MCP-Protocol-Version does not match/,
    ],
    [
      "with an older version",
      { headers: { [VERSIONS]: "2025-11-25" } },
      /MCP-Protocol-Version does not match/,
    ],
    [
      "with two versions",
      { headers: { [VERSIONS]: [VERSION, "2025-11-25"] } },
      /MCP-Protocol-Version does not match/,
    ],
    ["with an empty version", { headers: { [VERSIONS]: "" } }, /MCP-Protocol-Version does not match/],
    ["without a method", { headers: { "Mcp-Method": undefined } }, /Mcp-Method is missing$/],
    ["with another method", { headers: { "Mcp-Method": "tools/call" } }, /Mcp-Method does not match/],
    [
      "with a method in capitals (Case Sensitivity)",
      { headers: { "Mcp-Method": "Tools/List" } },
      /Mcp-Method does not match/,
    ],
    [
      "with the method twice",
      { headers: { "Mcp-Method": ["tools/list", "tools/list"] } },
      /Mcp-Method does not match/,
    ],
    [
      "with an encoded method",
      { headers: { "Mcp-Method": "=?base64?dG9vbHMvbGlzdA==?=" } },
      /Mcp-Method does not match/,
    ],
    [
      "with a method and a space that is none of HTTP",
      { headers: { "Mcp-Method": "tools/list\u00A0" } },
      /Mcp-Method/,
    ],
    [
      "with a version and a space that is none of HTTP",
      { headers: { [VERSIONS]: `${VERSION}\u00A0` } },
      /MCP-Protocol-Version/,
    ],
    ["without a name", call, /Mcp-Name is missing$/],
    ["with another name", { ...call, headers: { "Mcp-Name": "b" } }, /Mcp-Name does not match/],
    ["with a name in capitals", { ...call, headers: { "Mcp-Name": "A" } }, /Mcp-Name does not match/],
    ["with the name twice", { ...call, headers: { "Mcp-Name": ["a", "a"] } }, /Mcp-Name does not match/],
    ["with an empty name", { ...call, headers: { "Mcp-Name": "" } }, /Mcp-Name does not match/],
    [
      "with another encoded name",
      { ...call, headers: { "Mcp-Name": "=?base64?Yg==?=" } },
      /Mcp-Name does not match/,
    ],
    [
      "with a name in invalid base64",
      { ...call, headers: { "Mcp-Name": "=?base64?YQ?=" } },
      /Mcp-Name has characters/,
    ],
    [
      "with a name that is not ASCII",
      { method: "tools/call", params: { name: "é" }, headers: { "Mcp-Name": "é" } },
      /Mcp-Name has characters/,
    ],
    ["without a name for a prompt", { method: "prompts/get", params: { name: "a" } }, /Mcp-Name is missing$/],
    [
      "with the name of a resource, and not its URI",
      { method: "resources/read", params: { uri: "u", name: "n" }, headers: { "Mcp-Name": "n" } },
      /Mcp-Name does not match/,
    ],
    ["without a name for a task", { method: "tasks/get", params: { taskId: "t" } }, /Mcp-Name is missing$/],
  ];
  for (const [what, post, message] of rows) {
    test(what, () => refused(post, "HEADER_MISMATCH", message));
  }
});

describe("a version that is not served", () => {
  for (const version of ["2027-01-01", "2025-11-25", "1900-01-01", "DRAFT-2026", ""]) {
    test(`is refused, with those that are: ${JSON.stringify(version)}`, () => {
      const post = { meta: { ...META, [PV]: version }, headers: { "MCP-Protocol-Version": version } };
      const data = { supported: [VERSION], requested: version };
      refused(post, "VERSION_NOT_SUPPORTED", /^This protocol revision is not served here$/, data);
    });
  }
});

describe("a method that is not served", () => {
  const gone = [
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/list",
    "tasks/result",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "initialize",
  ];
  for (const method of gone) {
    test(`is not found: ${method} (2026-07-28/changelog)`, () => {
      refused(
        { method },
        "METHOD_NOT_SERVED",
        new RegExp(`^${method} is not served in this protocol revision$`),
      );
    });
  }

  test("is not found by the letter only", () => {
    for (const method of [
      "Ping",
      "pings",
      "ping/",
      "x/ping",
      "task/get",
      "tasks",
      "initialized",
      "resources/subscribed",
    ]) {
      assert.equal(classified({ method }).requests.length, 1, method);
    }
  });
});

test("what to listen to must be said", () => {
  for (const notifications of [undefined, null, [], "all", true]) {
    const post = { method: "subscriptions/listen", params: { notifications } };
    refused(post, "INVALID_FILTER", /^params\.notifications must be an object$/);
  }
});

describe("of several flaws the first one is told", () => {
  const LATE = "2027-01-01";
  const data = { supported: [VERSION], requested: LATE };
  const headers = { "MCP-Protocol-Version": undefined, "Mcp-Method": undefined };
  const rows: readonly (readonly [
    what: string,
    post: Post,
    code: ErrorCode,
    message: RegExp,
    data?: unknown,
  ])[] = [
    [
      "the envelope before the headers",
      { meta: { [PV]: VERSION }, headers },
      "INVALID_ENVELOPE",
      /clientCapabilities/,
    ],
    ["the envelope before the version", { meta: { [PV]: LATE } }, "INVALID_ENVELOPE", /clientCapabilities/],
    [
      "another version in the header before one that is not served",
      { meta: { ...META, [PV]: LATE } },
      "HEADER_MISMATCH",
      /MCP-Protocol-Version does not match/,
    ],
    [
      "another method in the header before a version that is not served",
      { meta: { ...META, [PV]: LATE }, headers: { ...headers, "Mcp-Method": "x" } },
      "HEADER_MISMATCH",
      /Mcp-Method does not match/,
    ],
    [
      "the version before headers that are missing",
      { meta: { ...META, [PV]: LATE }, headers },
      "VERSION_NOT_SUPPORTED",
      /not served/,
      data,
    ],
    [
      "the version before the name",
      {
        method: "tools/call",
        params: { name: "a" },
        meta: { ...META, [PV]: LATE },
        headers: { "MCP-Protocol-Version": LATE },
      },
      "VERSION_NOT_SUPPORTED",
      /not served/,
      data,
    ],
    [
      "the version header before the method",
      { headers },
      "HEADER_MISMATCH",
      /MCP-Protocol-Version is missing/,
    ],
    ["headers before the method that is gone", { method: "ping", headers }, "HEADER_MISMATCH", /is missing/],
    [
      "headers before what to listen to",
      { method: "subscriptions/listen", headers },
      "HEADER_MISMATCH",
      /is missing/,
    ],
  ];
  for (const [what, post, code, message, data] of rows) {
    test(what, () => refused(post, code, message, data));
  }
});

describe("a legacy version in the header beside a modern envelope", () => {
  const legacy = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"];
  test("is let through where the operator says so", () => {
    for (const version of [...legacy, VERSION]) {
      const post = { headers: { "MCP-Protocol-Version": version }, rules: LENIENT };
      assert.equal(classified(post).client?.era, "modern");
    }
  });

  test("is refused where the operator does not", () => {
    for (const version of legacy) {
      refused({ headers: { "MCP-Protocol-Version": version } }, "HEADER_MISMATCH", /does not match/);
    }
  });

  const rows: readonly (readonly [
    what: string,
    value: string | readonly string[] | undefined,
    message: RegExp,
  ])[] = [
    ["is let through alone", ["2025-11-25", VERSION], /does not match/],
    ["is let through and not an unknown one", "2025-01-01", /does not match/],
    ["is let through and not a later one", "2027-01-01", /does not match/],
    ["is let through, but may not be absent", undefined, /is missing/],
  ];
  for (const [what, value, message] of rows) {
    test(what, () => {
      refused({ headers: { "MCP-Protocol-Version": value }, rules: LENIENT }, "HEADER_MISMATCH", message);
    });
  }

  test("changes nothing about versions that are not served", () => {
    const post = {
      meta: { ...META, [PV]: "2025-11-25" },
      headers: { "MCP-Protocol-Version": "2025-11-25" },
      rules: LENIENT,
    };
    const data = { supported: [VERSION], requested: "2025-11-25" };
    refused(post, "VERSION_NOT_SUPPORTED", /not served/, data);
  });
});

describe("a modern version in the header alone", () => {
  const missing =
    /^params\._meta lacks io\.modelcontextprotocol\/protocolVersion and io\.modelcontextprotocol\/clientCapabilities/;
  for (const version of [VERSION, "2027-01-01", "draft"]) {
    test(`wants an envelope: ${version}`, () => {
      const headers = { "MCP-Protocol-Version": version };
      for (const meta of [undefined, null, [], {}, { [CC]: {} }, { progressToken: 1 }, "x"]) {
        refused({ meta: meta ?? {}, headers }, "ENVELOPE_MISSING", missing);
      }
      refused(
        { text: '{"jsonrpc":"2.0","id":"a","method":"tools/list"}', headers },
        "ENVELOPE_MISSING",
        missing,
        undefined,
        '"a"',
      );
    });

    test(`has no initialize: ${version}`, () => {
      const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: CLIENT };
      const post = { method: "initialize", params, meta: {}, headers: { "MCP-Protocol-Version": version } };
      refused(post, "HEADER_WITHOUT_ENVELOPE", /has no initialize request$/);
    });
  }
});

describe("an initialize request", () => {
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: CLIENT };
  const method = "initialize";

  test("with a whole modern envelope is modern, and there is none", () => {
    refused({ method, params }, "METHOD_NOT_SERVED", /^initialize is not served/);
    refused(
      { method, params, headers: { "MCP-Protocol-Version": undefined } },
      "HEADER_MISMATCH",
      /is missing/,
    );
  });

  const legacy: readonly (readonly [what: string, meta: unknown])[] = [
    ["half an envelope", { [PV]: VERSION }],
    ["an envelope of a version that is not served", { ...META, [PV]: "2027-01-01" }],
    ["an envelope of a legacy version", { ...META, [PV]: "2025-11-25" }],
    ["an envelope that is broken", { ...META, [CC]: [] }],
    ["no envelope", {}],
  ];
  for (const [what, meta] of legacy) {
    test(`with ${what} is legacy`, () => {
      const { client } = classified({ method, params, meta, headers: { "MCP-Protocol-Version": undefined } });
      assert.deepEqual([client?.era, client?.handshake.protocolVersion], ["legacy", "2025-06-18"]);
    });
  }
});

describe("what is no modern request, although it looks like one", () => {
  const legacy = { "MCP-Protocol-Version": undefined, "Mcp-Method": undefined };

  test("is a request without a version in _meta, whatever else stands there", () => {
    for (const meta of [{ [CC]: {}, [CI]: CLIENT }, [META], JSON.stringify(META), null]) {
      assert.equal(classified({ meta, headers: legacy }).client?.era, "legacy");
    }
    assert.equal(classified({ params: META, meta: {}, headers: legacy }).client?.era, "legacy");
  });

  test("is a notification, which asks for nothing", () => {
    const text = `{"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":${JSON.stringify(META)}}}`;
    assert.deepEqual(classified({ text, headers: legacy }), { requests: [], answers: [], batch: false });
  });

  test("is a response, which answers a question", () => {
    const text = `{"jsonrpc":"2.0","id":"a","result":{"_meta":${JSON.stringify(META)}}}`;
    assert.equal(classified({ text }).response?.value.id, "a");
  });
});

test("an id is told as it was written, whatever the refusal is", () => {
  for (const id of ["0", "-7", "9007199254740993", "1.0", '"\\u0061"', '""']) {
    const text = (method: string, meta: object): string =>
      `{"jsonrpc":"2.0","id": ${id} ,"method":"${method}","params":{"_meta":${JSON.stringify(meta)}}}`;
    const headers = { "Mcp-Method": "ping" };
    refused({ text: text("ping", META), headers }, "METHOD_NOT_SERVED", /./, undefined, id);
    refused({ text: text("ping", { [PV]: VERSION }), headers }, "INVALID_ENVELOPE", /./, undefined, id);
    refused({ text: text("tools/list", META), headers }, "HEADER_MISMATCH", /./, undefined, id);
    refused({ text: text("ping", {}), headers }, "ENVELOPE_MISSING", /./, undefined, id);
  }
});
