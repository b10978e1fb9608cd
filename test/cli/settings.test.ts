import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { adapterOptions } from "../../lib/cli/adapter-options.ts";
import { commanderOption } from "../../lib/cli/command-option.ts";
import { SERVE_OPTIONS } from "../../lib/cli/serve-options.ts";
import { findServed } from "../../lib/cli/served.ts";
import { EXPOSED } from "../../lib/cors.ts";
import { readLine } from "../support/command-line.ts";
import { temporaryFolder } from "../support/files.ts";

const CONFIG = { mcpServers: { a: { command: "x" } }, baseDirectory: "/" };

/** What the adapter is started with, without what every command line has. */
function optionsFor(words: readonly string[], variables = {}): object {
  const { settings } = readLine([...words, "--", "x"], variables);
  const { mcpServers: _m, baseDirectory: _b, logger: _l, ...options } = adapterOptions(CONFIG, settings);
  return options;
}

const BOTH = { transports: ["mcp", "sse"], logMessages: false };

const READ: readonly (readonly [words: string, options: object])[] = [
  ["", BOTH],
  ["--port 0 --host ::1", { ...BOTH, port: 0, host: "::1" }],
  ["--pass-env A,B_*", { ...BOTH, passEnv: ["A", "B_*"] }],
  ["--allow-env A,B_*", { ...BOTH, allowEnv: ["A", "B_*"] }],
  ["--sessions none", { ...BOTH, sessions: "none" }],
  ["--sessions shared", { ...BOTH, sessions: "shared" }],
  ["--sessions independent", { ...BOTH, sessions: "independent" }],
  ["--shared-session false", { ...BOTH, sharedSession: false }],
  ["--shared-session true", { ...BOTH, sharedSession: true }],
  ["--session-idle 5", { ...BOTH, sessionIdleMs: 5 }],
  ["--session-resume 5", { ...BOTH, sessionResumeMs: 5 }],
  ["--heartbeat 5", { ...BOTH, heartbeatMs: 5 }],
  ["--server mcp", { ...BOTH, transports: ["mcp"] }],
  ["--server stream", { ...BOTH, transports: ["mcp"] }],
  ["--server=sse", { ...BOTH, transports: ["sse"] }],
  [
    "--mcp-path /a --sse-path /b --messages-path /c",
    { ...BOTH, paths: { mcp: "/a", sse: "/b", messages: "/c" } },
  ],
  ["--server sse --endpoint /b", { ...BOTH, transports: ["sse"], paths: { sse: "/b" } }],
  ["--server stream --endpoint /a", { ...BOTH, transports: ["mcp"], paths: { mcp: "/a" } }],
  [
    "--server mcp --endpoint /a --mcp-path /a --sse-path /b",
    { ...BOTH, transports: ["mcp"], paths: { mcp: "/a", sse: "/b" } },
  ],
  ["--auth-key a,b --allow-anonymous", { ...BOTH, authKeys: ["a", "b"], allowAnonymous: true }],
  ["--allowed-hosts a,b", { ...BOTH, allowedHosts: ["a", "b"] }],
  ["--cors-origin https://a,https://b", { ...BOTH, cors: { origins: ["https://a", "https://b"] } }],
  [
    "--cors-origin https://a --cors-origin https://b",
    { ...BOTH, cors: { origins: ["https://a", "https://b"] } },
  ],
  [
    "--cors-origin * --cors-credentials --expose-header A,B --expose-header C --cors-max-age 0",
    {
      ...BOTH,
      cors: {
        origins: ["*"],
        credentials: true,
        exposedHeaders: [...EXPOSED, "A", "B", "C"],
        maxAgeSeconds: 0,
      },
    },
  ],
  [
    "--max-processes 1 --max-body 2 --max-message 3 --max-buffered 4",
    { ...BOTH, maxProcesses: 1, maxBodyBytes: 2, maxMessageBytes: 3, maxBufferedBytes: 4 },
  ],
  [
    "--max-queued 0 --queue-timeout 4 --max-output 5",
    { ...BOTH, maxQueued: 0, queueTimeoutMs: 4, maxOutputBytes: 5 },
  ],
  ["--param-headers off", { ...BOTH, paramHeaders: "off" }],
  ["--no-snapshot --snapshot-ttl 5", { ...BOTH, snapshot: false, snapshotTtlMs: 5 }],
  ["--spares 0", BOTH],
  ["--debug", { ...BOTH, logMessages: true }],
  ["--log-level debug", { ...BOTH, logMessages: true }],
  ["--log-level DEBUG", { ...BOTH, logMessages: true }],
  ["--log-level warn --debug", { ...BOTH, logMessages: true }],
];

describe("options are read", () => {
  for (const [words, options] of READ) {
    test(words || "without any", () =>
      assert.deepEqual(optionsFor(words.split(" ").filter(Boolean)), options),
    );
  }

  test("those of HTTPS, with the content of their files", async (t) => {
    const folder = await temporaryFolder(t);
    const words = ["cert", "key", "ca"].flatMap((name) => {
      writeFileSync(join(folder, name), `the ${name}`);
      return [`--ssl-${name}`, join(folder, name)];
    });
    const tls = { cert: Buffer.from("the cert"), key: Buffer.from("the key"), ca: Buffer.from("the ca") };
    assert.deepEqual(optionsFor(words), { ...BOTH, tls });
    assert.deepEqual(optionsFor(words, { SSL_KEY_PASSPHRASE: "p" }), {
      ...BOTH,
      tls: { ...tls, passphrase: "p" },
    });
  });

  test("those of servers, for each of them and over what the file says", () => {
    const words =
      "--allow-tools a,b --deny-tools c -e A=1 --env B=2 --cwd /w --era legacy --input-mode hold --start-timeout 1 --request-timeout 2";
    const asked = readLine([...words.split(" "), "--named-server", "n", "y z", "--", "x"]);
    const all = {
      cwd: "/w",
      era: "legacy",
      inputMode: "hold",
      startTimeoutMs: 1,
      requestTimeoutMs: 2,
      tools: { allow: ["a", "b"], deny: ["c"] },
    };
    const env = { A: "1", B: "2" };
    assert.deepEqual(findServed(asked.words, asked, {})?.config, {
      mcpServers: {
        default: { command: "x", args: [], env, ...all },
        n: { command: "y", args: ["z"], env, ...all },
      },
      default: "default",
      baseDirectory: process.cwd(),
    });
    const file = {
      mcpServers: { f: { command: "f", env: { A: "file", F: "file" }, era: "modern", requestTimeoutMs: 9 } },
    };
    const variables = { MCP_SERVER_CONFIG: JSON.stringify(file) };
    const server = findServed([], readLine(words.split(" ")), variables)?.config.mcpServers["f"];
    assert.deepEqual(server, { command: "f", args: [], ...all, env: { A: "1", F: "file", B: "2" } });
  });
});

describe("a list", () => {
  const once: readonly (readonly [option: string, read: object])[] = [
    ["--pass-env", { passEnv: ["A", "B", "C_*"] }],
    ["--allow-env", { allowEnv: ["A", "B", "C_*"] }],
    ["--allowed-hosts", { allowedHosts: ["A", "B", "C_*"] }],
    ["--cors-origin", { cors: { origins: ["A", "B", "C_*"] } }],
    ["--expose-header", { cors: { origins: [], exposedHeaders: [...EXPOSED, "A", "B", "C_*"] } }],
    ["--auth-key", { authKeys: ["A", "B", "C_*"] }],
    ["--state-secret", { stateSecrets: ["A", "B", "C_*"] }],
  ];
  for (const [option, read] of once) {
    test(`${option} adds up`, () => {
      assert.deepEqual(optionsFor([option, "A", `${option}=B,C_*`]), { ...BOTH, ...read });
    });
  }
  for (const [option, read] of once.slice(0, 5)) {
    test(`${option} may be separated by spaces`, () => {
      assert.deepEqual(optionsFor([option, " A B, C_*\n"]), { ...BOTH, ...read });
    });
  }

  test("of keys and secrets is separated by commas alone: they may hold spaces", () => {
    const options = { authKeys: ["a b", "c"], stateSecrets: ["d e"] };
    assert.deepEqual(optionsFor(["--auth-key", "a b, c", "--state-secret", "d e"]), { ...BOTH, ...options });
  });

  test("of tools adds up", () => {
    const { forServers } = readLine(
      "--deny-tools a --allow-tools b --deny-tools c,d --allow-tools e".split(" "),
    );
    assert.deepEqual(forServers, { tools: { allow: ["b", "e"], deny: ["a", "c", "d"] } });
  });

  for (const option of ["--allow-tools", "--deny-tools"]) {
    test(`${option} refuses a space, which would be part of a name`, () => {
      const message = `${option}: names of tools are separated by commas, found "echo get-env"; * stands for a space in a name`;
      const error = { name: "ConfigurationError", message };
      assert.throws(() => readLine([option, "echo get-env"]), error);
      assert.throws(() => readLine([option, "a", option, "echo get-env"]), error);
    });
    test(`${option} refuses to name none, also beside another that does`, () => {
      const error = { message: `${option}: expected names of tools, found ""` };
      assert.throws(() => readLine([option, "", option, "a"]), error);
    });
  }
});

describe("the environment", () => {
  const values: Readonly<Record<string, readonly [value: string, options: object]>> = {
    PORT: ["5", { port: 5 }],
    HOST: ["::1", { host: "::1" }],
    PASS_ENV: ["*", { passEnv: ["*"] }],
    ALLOW_ENV: ["A,B_*", { allowEnv: ["A", "B_*"] }],
    STATE_SECRET: ["s", { stateSecrets: ["s"] }],
    SHARED_SESSION: ["false", { sharedSession: false }],
    SESSION_IDLE: ["5", { sessionIdleMs: 5 }],
    SESSION_RESUME: ["5", { sessionResumeMs: 5 }],
    AUTH_KEY: ["k", { authKeys: ["k"] }],
    ALLOW_ANONYMOUS: ["false", { allowAnonymous: false }],
    ALLOWED_HOSTS: ["h", { allowedHosts: ["h"] }],
    CORS_ORIGIN: ["https://a,https://b", { cors: { origins: ["https://a", "https://b"] } }],
    MAX_PROCESSES: ["5", { maxProcesses: 5 }],
    MAX_QUEUED: ["0", { maxQueued: 0 }],
    MAX_CONNECTIONS: ["5", { maxConnections: 5 }],
    SPARES: ["0", {}],
    SNAPSHOT: ["false", { snapshot: false }],
    SNAPSHOT_TTL: ["5", { snapshotTtlMs: 5 }],
    // Without HTTPS there is nothing that it could open.
    SSL_KEY_PASSPHRASE: ["p", {}],
    LOG_LEVEL: ["debug", { logMessages: true }],
  };

  for (const [name, [value, options]] of Object.entries(values)) {
    test(`${name} stands for its option`, () => {
      assert.deepEqual(optionsFor([], { [name]: value }), { ...BOTH, ...options });
    });
    test(`${name} counts as not set when it is empty`, () => {
      assert.deepEqual(optionsFor([], { [name]: "" }), BOTH);
    });
  }

  test("has a row above for every variable of the table", () => {
    const elsewhere = new Set(["MCP_CONFIG", "INPUT_MODE", "AUTH_KEY_FILE"]);
    const names = SERVE_OPTIONS.flatMap(({ variable }) => variable ?? []).filter(
      (name) => !elsewhere.has(name),
    );
    assert.deepEqual(names.toSorted(), Object.keys(values).toSorted());
  });

  test("yields to an option", () => {
    const variables = {
      PORT: "1",
      AUTH_KEY: "old",
      SHARED_SESSION: "true",
      CORS_ORIGIN: "https://a",
      LOG_LEVEL: "debug",
    };
    const words = "--port 2 --auth-key new --shared-session false --cors-origin https://b --log-level info";
    const options = { port: 2, authKeys: ["new"], sharedSession: false, cors: { origins: ["https://b"] } };
    assert.deepEqual(optionsFor(words.split(" "), variables), { ...BOTH, ...options });
    assert.equal(readLine(["--input-mode", "hold"], { INPUT_MODE: "rerun" }).forServers.inputMode, "hold");
  });

  test("is what an error names where it was wrong", () => {
    for (const [name, value] of [
      ["PORT", "x"],
      ["SHARED_SESSION", "maybe"],
      ["SESSION_IDLE", "0"],
      ["LOG_LEVEL", "loud"],
      ["INPUT_MODE", "ask"],
      ["ALLOW_ANONYMOUS", "1"],
    ] as const) {
      const expected = { name: "ConfigurationError", message: new RegExp(`^${name}: .*found "${value}"$`) };
      assert.throws(() => readLine([], { [name]: value }), expected);
    }
  });
});

describe("a file with keys", () => {
  const rows: readonly (readonly [what: string, text: string, keys: readonly string[]])[] = [
    ["one key", "k3y", ["k3y"]],
    ["one key and the end of a line", "k3y\n", ["k3y"]],
    ["a key in each line, with an empty one between", "one\r\n\r\n two \n", ["one", "two"]],
    ["keys between commas", "one,two, three\nfour\n", ["one", "two", "three", "four"]],
  ];
  for (const [what, text, authKeys] of rows) {
    test(`may hold ${what}`, async (t) => {
      const file = join(await temporaryFolder(t), "keys");
      writeFileSync(file, text);
      assert.deepEqual(optionsFor(["--auth-key-file", file]), { ...BOTH, authKeys });
      assert.deepEqual(optionsFor([], { AUTH_KEY_FILE: file }), { ...BOTH, authKeys });
      const both = { AUTH_KEY_FILE: file, AUTH_KEY: "other" };
      assert.throws(() => optionsFor([], both), /^ConfigurationError: AUTH_KEY_FILE: there are keys in/);
    });
  }
});

const REFUSED: readonly (readonly [words: string, message: RegExp])[] = [
  ["--sessions all", /^--sessions: expected one of none, shared, independent, found "all"$/],
  ["--shared-session yes", /^--shared-session: expected true or false, found "yes"$/],
  ["--server http", /^--server: expected one of mcp, sse, found "http"$/],
  ["--heartbeat 0", /^--heartbeat: expected a whole number of at least 1, found "0"$/],
  ["--session-idle 1.5", /^--session-idle: /],
  ["--shutdown-timeout soon", /^--shutdown-timeout: .* found "soon"$/],
  ["--cors-max-age -1", /^--cors-max-age: .* found "-1"$/],
  ["--endpoint /a", /^--endpoint: name its transport with --server$/],
  [
    "--server mcp --endpoint /a --mcp-path /b",
    /^--endpoint and --mcp-path are the same option, with different/,
  ],
  ["--ssl-cert no-such.pem", /^--ssl-cert: no-such\.pem cannot be read \(ENOENT\)$/],
  ["--ssl-key /", /^--ssl-key: \/ cannot be read \(EISDIR\)$/],
  ["--ssl-ca package.json", /^--ssl-cert: HTTPS needs a certificate$/],
  ["--ssl-passphrase-file package.json", /^--ssl-cert: HTTPS needs a certificate$/],
  ["--ssl-cert package.json", /^--ssl-key: HTTPS needs a private key$/],
  ["--spares 1", /^--spares: this version supports 0$/],
  ["--auth-key=", /^--auth-key: expected a key, found none$/],
  ["--auth-key-file no-such", /^--auth-key-file: no-such cannot be read \(ENOENT\)$/],
  ["--auth-key-file /dev/null", /^--auth-key-file: \/dev\/null: expected a key, found none$/],
  [
    "--auth-key-file package.json --auth-key a",
    /^--auth-key-file: there are keys in --auth-key or AUTH_KEY already$/,
  ],
];

describe("what cannot be is refused with the name of the option", () => {
  for (const [words, message] of REFUSED) {
    test(words, () => {
      assert.throws(() => optionsFor(words.split(" ")), { name: "ConfigurationError", message });
    });
  }

  const lines: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
    [
      ["--named-server", "a/b", "node x"],
      /^--named-server: expected a name and a command line, found "a\/b=node x"$/,
    ],
    [["--named-server", "a", "node 'x"], /^--named-server a: a quote is never closed$/],
    [["--named-server", "a", ""], /^--named-server a: no command$/],
    [
      ["--named-server", "default", "y", "--", "x"],
      /^--named-server default: the command line is called so$/,
    ],
    [["--config", "f.json", "--named-server", "a", "y"], /^--config: there is --named-server$/],
    [["--config", "f.json", "--", "x", "y"], /^--config: there is a command line already: x y$/],
  ];
  for (const [argv, message] of lines) {
    test(argv.join(" "), () => {
      const find = (): unknown => {
        const asked = readLine(argv);
        return findServed(asked.words, asked, {});
      };
      assert.throws(find, { name: "ConfigurationError", message });
    });
  }
});

test("every option has a name, a meaning, and something that reads it", () => {
  for (const option of SERVE_OPTIONS) {
    const { long } = commanderOption(option);
    assert.match(long ?? "", /^--[a-z-]+$/);
    assert.notEqual(option.meaning, "");
    assert.ok(option.read ?? option.readForServers, `${long} is not read`);
  }
});
