import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { serve } from "../../lib/adapters/node.ts";
import { OF_SERVE } from "../../lib/adapters/serve-shape.ts";
import { createHandler } from "../../lib/index.ts";
import type { Handler, HandlerOptions } from "../../lib/index.ts";
import { PEM } from "../support/tls.ts";

/** What a program without types, or one that reads JSON, may give. */
type Loose = Readonly<Record<string, unknown>>;

const create = createHandler as unknown as (options?: unknown) => Handler;
const works = { command: "x" };
const mcpServers = { a: works };

function server(entry: unknown): Loose {
  return { mcpServers: { a: entry } };
}

type Row = readonly (readonly [options: unknown, message: string])[];

const NO_SERVER: Row = [
  [undefined, "options: expected object, found undefined"],
  [null, "options: expected object, found null"],
  ["mcp.json", "options: expected object, found string"],
  [{}, "mcpServers: missing"],
  [{ mcpServers: {} }, "mcpServers: there is no server"],
  [{ mcpServers: [works] }, "mcpServers: expected object, found array"],
  [{ mcpServers: { "a/b": works } }, "mcpServers.a/b: expected a name of letters, digits, '.', '_' and '-'"],
  [
    { mcpServers: { a: { ...works, disabled: true }, b: { enabled: false } } },
    "mcpServers: no server is enabled (disabled: a, b)",
  ],
  [
    { mcpServers: { a: works, b: { disabled: true } }, default: "b" },
    'default: there is no enabled server "b"',
  ],
  [{ mcpServers, default: 1 }, "default: expected string, found number"],
];

const WRONG_SERVER: Row = [
  [server(undefined), "mcpServers.a: missing"],
  [server("x"), "mcpServers.a: expected object, found string"],
  [server({}), "mcpServers.a.command: missing"],
  [server({ cmd: "x" }), 'mcpServers.a: unknown key "cmd": did you mean "command"?'],
  [
    server({ url: "https://x" }),
    'mcpServers.a: "url" is of a remote server, which this version does not connect to',
  ],
  [
    server({ ...works, type: "stdio" }),
    'mcpServers.a: unknown key "type": parseMcpJson leaves out those of other tools',
  ],
  [server({ ...works, args: "x.js" }), "mcpServers.a.args: expected array, found string"],
  [server({ ...works, env: { X: undefined } }), "mcpServers.a.env.X: missing"],
  [
    server({ ...works, private: true, env: { TMPDIR: "/x" } }),
    'mcpServers.a.private: each process gets a TMPDIR of its own: leave it out of "env"',
  ],
  [server({ ...works, disabled: "true" }), "mcpServers.a.disabled: expected boolean, found string"],
  [server({ ...works, tools: { deny: "echo" } }), "mcpServers.a.tools.deny: expected array, found string"],
  [
    server({ ...works, tools: { denied: ["echo"] } }),
    'mcpServers.a.tools: unknown key "denied": expected "allow" or "deny"',
  ],
  [
    server({ ...works, requestTimeoutMs: "5s" }),
    "mcpServers.a.requestTimeoutMs: expected a whole number of milliseconds",
  ],
  [server({ ...works, envFrom: ["TOKEN"] }), "mcpServers.a.envFrom: expected object, found array"],
  [server({ ...works, envFrom: { TOKEN: 1 } }), "mcpServers.a.envFrom.TOKEN: expected string, found number"],
];

const OWN_OPTIONS: Row = [
  [{ allowAnonimous: true }, 'options: unknown key "allowAnonimous": did you mean "allowAnonymous"?'],
  [{ hosts: [] }, 'options: unknown key "hosts": did you mean "allowedHosts"?'],
  [{ nonsense: 1 }, 'options: unknown key "nonsense"'],
  [{ denyTools: ["a"] }, 'options: "denyTools" is "tools" of a server: { deny: [...] }'],
  [{ tools: { deny: ["a"] } }, 'options: "tools" belongs to a server, below mcpServers'],
  [{ envFrom: {} }, 'options: "envFrom" belongs to a server, below mcpServers'],
  [{ era: "legacy" }, 'options: "era" belongs to a server, below mcpServers'],
  [{ port: 8000 }, 'options: "port" is an option of serve, from mcp-mayfly/node'],
  [{ allowAnonymous: "false" }, "allowAnonymous: expected boolean, found string"],
  [{ requestTimeoutMs: "5s" }, "requestTimeoutMs: expected a whole number of milliseconds"],
  [{ requestTimeoutMs: Number.NaN }, "requestTimeoutMs: expected a whole number of milliseconds"],
  [{ requestTimeoutMs: 0 }, "requestTimeoutMs: expected more than 0 milliseconds"],
  [{ killGraceMs: -1 }, "killGraceMs: expected 0 milliseconds or more"],
  [{ maxProcesses: 0 }, "maxProcesses: expected at least 1"],
  [{ maxQueued: -1 }, "maxQueued: expected 0 or more"],
  [{ maxQueued: 0.5 }, "maxQueued: expected a whole number"],
  [{ queueTimeoutMs: 0 }, "queueTimeoutMs: expected more than 0 milliseconds"],
  [{ maxOutputBytes: 0 }, "maxOutputBytes: expected at least 1"],
  [server({ ...works, maxProcesses: 0 }), "mcpServers.a.maxProcesses: expected at least 1"],
  [server({ ...works, maxOutputBytes: "1M" }), "mcpServers.a.maxOutputBytes: expected a whole number"],
  [
    server({ ...works, maxQueued: 1 }),
    'mcpServers.a: "maxQueued" stands beside mcpServers, and not in a server',
  ],
  [{ maxBodyBytes: 1.5 }, "maxBodyBytes: expected a whole number"],
  [{ corsOrigins: "*" }, "corsOrigins: expected array, found string"],
  [{ authKeys: "secret" }, "authKeys: expected array, found string"],
  [{ authKeys: null }, "authKeys: expected array, found null"],
  [{ authKeys: [1] }, "authKeys[0]: expected string, found number"],
  [{ allowedHosts: "x" }, "allowedHosts: expected array, found string"],
  [{ allowEnv: ["A", "PATH"] }, "allowEnv[1]: PATH can never be set by a request"],
  [{ passEnv: ["A_*", "*_TOKEN"] }, 'passEnv: expected a name, PREFIX_* or *, found "*_TOKEN"'],
  [{ passEnv: ["TOKEN=secret"] }, "passEnv: expected a name, found one with its value"],
  [{ passEnv: [""] }, 'passEnv: expected a name, PREFIX_* or *, found ""'],
  [{ sessions: "all" }, 'sessions: expected one of "none", "shared", "independent"'],
  [{ transports: ["mcp", "ws"] }, 'transports[1]: expected one of "mcp", "sse"'],
  [{ listen: true }, 'listen: expected one of "acknowledge", "serve"'],
  [{ paths: { mpc: "/x" } }, 'paths: unknown key "mpc": did you mean "mcp"?'],
  [{ paths: { mcp: 1 } }, "paths.mcp: expected string, found number"],
  [{ cors: { orgins: [] } }, 'cors: unknown key "orgins": did you mean "origins"?'],
  [{ cors: {} }, "cors.origins: missing"],
  [{ cors: { origins: "*" } }, "cors.origins: expected a list of origins, or a function"],
  [{ authenticate: "x" }, "authenticate: expected a function"],
  [{ onConnect: {} }, "onConnect: expected a function"],
  [
    { logger: { info: () => undefined } },
    "logger: expected an object with the functions debug, info, warn, error",
  ],
  [{ eventStore: {} }, "eventStore: expected an object with the functions store, replay, forget"],
  [
    { authKeys: "a", sessionToken: 1 },
    "authKeys: expected array, found string; sessionToken: expected boolean, found number",
  ],
];

describe("createHandler refuses", () => {
  const own = OWN_OPTIONS.map(([options, message]) => [{ mcpServers, ...Object(options) }, message] as const);
  for (const [options, message] of [...NO_SERVER, ...WRONG_SERVER, ...own]) {
    test(message, () => assert.throws(() => create(options), { name: "ConfigurationError", message }));
  }
});

describe("createHandler takes", () => {
  const function_ = (): undefined => undefined;
  class Log {
    debug(): void {}
    info(): void {}
    warn(): void {}
    error(): void {}
  }
  const rows: readonly (readonly [what: string, options: Partial<HandlerOptions>])[] = [
    ["a logger whose functions are inherited", { logger: new Log() }],
    ["console", { logger: console }],
    ["functions", { authenticate: function_, onConnect: function_, cors: { origins: () => true } }],
    ["0 where nothing is to be waited for", { streamAfterMs: 0, killGraceMs: 0 }],
  ];
  for (const [what, options] of rows) {
    test(what, () => assert.doesNotThrow(() => createHandler({ mcpServers, ...options })));
  }

  test("options that are undefined for none", () => {
    const undefinedOnes = { authKeys: undefined, logger: undefined, paths: { mcp: undefined } };
    assert.doesNotThrow(() => create({ mcpServers, ...undefinedOnes }));
  });
});

async function namesIn(handler: Handler): Promise<string[]> {
  const response = await handler.fetch(new Request("http://localhost/servers"));
  const { servers } = (await response.json()) as { servers: { name: string }[] };
  return servers.map(({ name }) => name);
}

test("a server that is disabled is not there, whatever else it holds", async () => {
  const mixed = { a: works, off: { command: 7, disabled: true }, out: { enabled: false } };
  const handler = create({ mcpServers: mixed, allowAnonymous: true });
  assert.deepEqual(await namesIn(handler), ["a"]);
  (handler.reconfigure as (config: unknown) => void)({ mcpServers: { ...mixed, b: works } });
  assert.deepEqual(await namesIn(handler), ["a", "b"]);
  await handler.close();
});

describe("reconfigure refuses, and keeps the servers that it has,", () => {
  const rows: Row = [
    ...NO_SERVER,
    ...WRONG_SERVER,
    [
      { mcpServers, allowAnonimous: true },
      'options: unknown key "allowAnonimous": did you mean "allowAnonymous"?',
    ],
    [{ mcpServers, defualt: "a" }, 'options: unknown key "defualt": did you mean "default"?'],
    [
      { mcpServers, authKeys: ["q"] },
      "authKeys: reconfigure changes mcpServers and default, and no other option",
    ],
    [
      { mcpServers, allowAnonymous: false },
      "allowAnonymous: reconfigure changes mcpServers and default, and no other option",
    ],
  ];
  for (const [config, message] of rows) {
    test(message, async () => {
      const handler = createHandler({ mcpServers: { kept: works }, allowAnonymous: true });
      const reconfigure = handler.reconfigure as (config: unknown) => void;
      assert.throws(() => reconfigure(config), { name: "ConfigurationError", message });
      assert.deepEqual(await namesIn(handler), ["kept"]);
      await handler.close();
    });
  }

  test("but takes the other options again, as they are", async () => {
    const options = { mcpServers, allowAnonymous: true, baseDirectory: ".", authKeys: [] };
    const handler = createHandler(options);
    handler.reconfigure({
      ...options,
      authKeys: [],
      mcpServers: { ...mcpServers, b: works },
    } as HandlerOptions);
    assert.deepEqual(await namesIn(handler), ["a", "b"]);
    await handler.close();
  });
});

describe("serve refuses, before it listens,", () => {
  const start = serve as unknown as (options?: unknown) => ReturnType<typeof serve>;
  const tls = { cert: PEM.leaf, key: PEM.key };
  const rows: Row = [
    ...NO_SERVER,
    ...WRONG_SERVER,
    [{ mcpServers, prot: 1 }, 'options: unknown key "prot": did you mean "port"?'],
    [{ mcpServers, port: "8000" }, "port: expected a whole number from 0 to 65535"],
    [{ mcpServers, port: 65_536 }, "port: expected a whole number from 0 to 65535"],
    [{ mcpServers, port: Number.NaN }, "port: expected a whole number from 0 to 65535"],
    [{ mcpServers, host: "" }, "host: expected an address"],
    [{ mcpServers, host: 1 }, "host: expected string, found number"],
    [{ mcpServers, authKeys: null }, "authKeys: expected array, found null"],
    [
      { mcpServers, tls: { ...tls, pasphrase: "x" } },
      'tls: unknown key "pasphrase": did you mean "passphrase"?',
    ],
    [{ mcpServers, tls: { cert: PEM.leaf } }, "tls.key: missing"],
    [{ mcpServers, tls: { ...tls, key: 1 } }, "tls.key: expected text or a Buffer"],
    [{ mcpServers, tls: { ...tls, ca: [1] } }, "tls.ca: expected text or a Buffer, or a list of them"],
    [{ mcpServers, tls: true }, "tls: expected object, found boolean"],
  ];
  for (const [options, message] of rows) {
    test(message, async () =>
      assert.rejects(async () => (await start(options)).close(), { name: "ConfigurationError", message }),
    );
  }
});

test("a handler is told of every option of serve where it belongs", () => {
  for (const name of OF_SERVE) {
    const message = `options: "${name}" is an option of serve, from mcp-mayfly/node`;
    assert.throws(() => create({ mcpServers, [name]: 1 }), { name: "ConfigurationError", message });
  }
});

test("an option of serve that is undefined has its default", async () => {
  const loose = { mcpServers, port: 0, transports: undefined } as unknown as Parameters<typeof serve>[0];
  const server = await serve(loose);
  try {
    // It is served, and therefore a GET opens no 404.
    const response = await fetch(`${server.url}/sse`, { method: "POST" });
    assert.equal(response.status, 405);
    await response.body?.cancel();
  } finally {
    await server.close();
  }
});
