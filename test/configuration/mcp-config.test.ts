import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ConfigurationError } from "../../lib/configuration/error.ts";
import { parseMcpJson, parseMcpServerConfig } from "../../lib/configuration/mcp-config.ts";
import type { McpConfig } from "../../lib/configuration/options.ts";

function parse(file: unknown, variables: Readonly<Record<string, string>> = {}): McpConfig {
  return parseMcpJson(typeof file === "string" ? file : JSON.stringify(file), "mcp.json", variables);
}

function server(entry: Readonly<Record<string, unknown>>): object {
  return { mcpServers: { a: { command: "node", ...entry } } };
}

describe("mcp.json", () => {
  test("is read with comments, all members and their defaults", () => {
    const text = `{
      // for the team
      "mcpServers": {
        "full": {
          "command": "node", "args": ["a.mjs", ""], "env": { "LOG": "1" }, "cwd": "sub",
          "disabled": false, "enabled": true, "startTimeoutMs": 10, "requestTimeoutMs": 20, "spares": 0,
          "maxProcesses": 3, "maxOutputBytes": 4,
          "era": "dual", "inputMode": "rerun", "rerun": "always", "cacheTtlMs": 0, "cacheScope": "public",
          "envFrom": { "KEY": "header:X-Key", "ID": "query:id" },
          "tools": { "allow": ["get_*"], "deny": ["\${DENIED}"] }, "allowEnv": ["TOKEN", "DB_*"],
          "limits": { "cpuSeconds": 10, "coreMiB": 0 }, "wrapper": ["wrap", "\${DENIED}", "{home}", "{env}"],
          "permissions": { "fsRead": ["\${DATA}", "*"], "fsWrite": ["{tmp}"], "worker": true, "net": false },
        },
        "small.one-2_3": { "command": "x" },
      },
      "default": "full",
    }`;
    assert.deepEqual(parse(text, { DENIED: "delete_*", DATA: "/data" }), {
      mcpServers: {
        full: {
          command: "node",
          args: ["a.mjs", ""],
          env: { LOG: "1" },
          cwd: "sub",
          maxProcesses: 3,
          maxOutputBytes: 4,
          startTimeoutMs: 10,
          requestTimeoutMs: 20,
          era: "dual",
          inputMode: "rerun",
          rerun: "always",
          cacheTtlMs: 0,
          cacheScope: "public",
          tools: { allow: ["get_*"], deny: ["delete_*"] },
          allowEnv: ["TOKEN", "DB_*"],
          envFrom: { KEY: "header:X-Key", ID: "query:id" },
          limits: { cpuSeconds: 10, coreMiB: 0 },
          wrapper: ["wrap", "delete_*", "{home}", "{env}"],
          permissions: { fsRead: ["/data", "*"], fsWrite: ["{tmp}"], worker: true, net: false },
        },
        "small.one-2_3": { command: "x", args: [], env: {} },
      },
      default: "full",
    });
  });

  test("keeps the keys of other tools out, silently", () => {
    const file = {
      $schema: "https://example.com/schema.json",
      inputs: [],
      servers: {},
      globalShortcut: "",
      mcpServers: {
        a: {
          command: "x",
          type: "stdio",
          autoApprove: [],
          timeout: 60,
          description: "",
          alwaysAllow: [],
        },
      },
    };
    assert.deepEqual(parse(file), { mcpServers: { a: { command: "x", args: [], env: {} } } });
  });

  test("leaves disabled and remote servers out, whatever else they hold", () => {
    const mcpServers = {
      off: { command: 7, disabled: true },
      alsoOff: { enabled: false, comand: "x" },
      remote: { url: "https://example.com/mcp", headers: { Authorization: "${NOT_SET}" } },
      windsurf: { serverUrl: "https://example.com/mcp" },
      gemini: { httpUrl: "https://example.com/mcp" },
      on: { command: "x" },
    };
    assert.deepEqual(Object.keys(parse({ mcpServers }).mcpServers), ["on"]);
  });
});

describe("a variable", () => {
  const variables = { A: "1", EMPTY: "", REFERENCE: "${A}", DOLLAR: "$&" };
  const rows: readonly (readonly [text: string, value: string])[] = [
    ["${A}", "1"],
    ["${env:A}", "1"],
    ["${env:B:-2}", "2"],
    ["${constructor:-2}", "2"],
    ["${other:A}", "${other:A}"],
    ["x${A}y${A}", "x1y1"],
    ["${A:-2}", "1"],
    ["${B:-2}", "2"],
    ["${B:-}", ""],
    ["${EMPTY}", ""],
    ["${EMPTY:-2}", "2"],
    ["${B:-https://example.com:8080/a-b}", "https://example.com:8080/a-b"],
    ["${REFERENCE}", "${A}"],
    ["${DOLLAR}", "$&"],
    ["$A $ {A} ${} ${1} ${A-b}", "$A $ {A} ${} ${1} ${A-b}"],
  ];
  for (const [text, value] of rows) {
    test(`in ${text} gives ${JSON.stringify(value)}, everywhere in a server`, () => {
      const { a } = parse(server({ args: [text], env: { X: text }, cwd: text }), variables).mcpServers;
      assert.deepEqual([a?.args, a?.env, a?.cwd], [[value], { X: value }, value]);
    });
  }

  test("stands for the command too", () => {
    assert.equal(parse(server({ command: "${A}" }), variables).mcpServers["a"]?.command, "1");
  });

  const missing: readonly (readonly [entry: Readonly<Record<string, unknown>>, place: string])[] = [
    [{ command: "${NO}" }, "command"],
    [{ args: ["", "${NO}"] }, "args[1]"],
    [{ env: { TOKEN: "${NO}" } }, "env.TOKEN"],
    [{ cwd: "${NO}" }, "cwd"],
  ];
  for (const [entry, place] of missing) {
    test(`that is not set is an error that names ${place}`, () => {
      const message = `mcp.json: mcpServers.a.${place}: the environment variable NO is not set`;
      assert.throws(() => parse(server(entry)), new ConfigurationError(message));
    });
  }
});

describe("an error names the file, the place inside it, and the reason", () => {
  const rows: readonly (readonly [file: unknown, message: string])[] = [
    [[], "mcp.json: expected object, found array"],
    [{}, "mcp.json: mcpServers: missing"],
    [{ mcpServers: {} }, "mcp.json: mcpServers: there is no server"],
    [
      { mcpServers: { a: { url: "https://x" } } },
      "mcp.json: mcpServers: no stdio server is enabled (disabled or remote: a)",
    ],
    [{ mcpServers: { a: "node" } }, "mcp.json: mcpServers.a: expected object, found string"],
    [{ mcpServers: { a: null } }, "mcp.json: mcpServers.a: expected object, found null"],
    [{ mcpServers: { a: {} } }, "mcp.json: mcpServers.a.command: missing"],
    [
      { mcpServers: { "a b": { command: "x" } } },
      "mcp.json: mcpServers.a b: expected a name of letters, digits, '.', '_' and '-'",
    ],
    [{ ...server({}), default: "b" }, 'mcp.json: default: there is no enabled server "b"'],
    [{ ...server({}), default: 1 }, "mcp.json: default: expected string, found number"],
    [
      { mcpServers: { a: { command: "x", disabled: true }, b: { command: "x" } }, default: "a" },
      'mcp.json: default: there is no enabled server "a"',
    ],
    [{ ...server({}), defualt: "a" }, 'mcp.json: unknown key "defualt": did you mean "default"?'],
    [{ mcpservers: {} }, 'mcp.json: unknown key "mcpservers": did you mean "mcpServers"?'],
    [{ mcpServer: {} }, 'mcp.json: unknown key "mcpServer": did you mean "mcpServers"?'],
    [server({ command: "" }), "mcp.json: mcpServers.a.command: expected a command"],
    [server({ command: ["node"] }), "mcp.json: mcpServers.a.command: expected string, found array"],
    [server({ args: "a b" }), "mcp.json: mcpServers.a.args: expected array, found string"],
    [server({ args: ["a", 1] }), "mcp.json: mcpServers.a.args[1]: expected string, found number"],
    [server({ env: { PORT: 1 } }), "mcp.json: mcpServers.a.env.PORT: expected string, found number"],
    [server({ disabled: "true" }), "mcp.json: mcpServers.a.disabled: expected boolean, found string"],
    [
      server({ requestTimeoutMs: 0 }),
      "mcp.json: mcpServers.a.requestTimeoutMs: expected more than 0 milliseconds",
    ],
    [
      server({ startTimeoutMs: 1.5 }),
      "mcp.json: mcpServers.a.startTimeoutMs: expected a whole number of milliseconds",
    ],
    [
      server({ era: "old" }),
      'mcp.json: mcpServers.a.era: expected one of "auto", "legacy", "modern", "dual"',
    ],
    [
      server({ inputMode: "ask" }),
      'mcp.json: mcpServers.a.inputMode: expected one of "refuse", "rerun", "hold"',
    ],
    [{ ...server({}), inputMode: "hold" }, 'mcp.json: "inputMode" belongs to a server, below mcpServers'],
    [server({ inputmode: "hold" }), did("inputmode", "inputMode")],
    [server({ rerun: true }), 'mcp.json: mcpServers.a.rerun: expected one of "safe", "always"'],
    [server({ cacheTtlMs: -1 }), "mcp.json: mcpServers.a.cacheTtlMs: expected 0 milliseconds or more"],
    [
      server({ cacheScope: "shared" }),
      'mcp.json: mcpServers.a.cacheScope: expected one of "public", "private"',
    ],
    [server({ spares: 1 }), "mcp.json: mcpServers.a.spares: this version supports 0"],
    [server({ tools: [] }), "mcp.json: mcpServers.a.tools: expected object, found array"],
    [server({ tools: null }), "mcp.json: mcpServers.a.tools: expected object, found null"],
    [
      server({ tools: { alow: [] } }),
      'mcp.json: mcpServers.a.tools: unknown key "alow": did you mean "allow"?',
    ],
    [
      server({ tools: { Deny: [] } }),
      'mcp.json: mcpServers.a.tools: unknown key "Deny": did you mean "deny"?',
    ],
    [
      server({ tools: { allow: ["a"], exclude: ["b"] } }),
      'mcp.json: mcpServers.a.tools: unknown key "exclude": expected "allow" or "deny"',
    ],
    [server({ tools: { allow: "a" } }), "mcp.json: mcpServers.a.tools.allow: expected array, found string"],
    [
      server({ tools: { deny: ["a", 1] } }),
      "mcp.json: mcpServers.a.tools.deny[1]: expected string, found number",
    ],
    [server({ tools: { deny: [""] } }), "mcp.json: mcpServers.a.tools.deny[0]: expected the name of a tool"],
    [
      server({ tools: { deny: ["${NO_SUCH}"] } }),
      "mcp.json: mcpServers.a.tools.deny[0]: the environment variable NO_SUCH is not set",
    ],
    [{ ...server({}), envFrom: {} }, 'mcp.json: "envFrom" belongs to a server, below mcpServers'],
    [server({ envfrom: {} }), did("envfrom", "envFrom")],
    [
      server({ envFrom: { TOKEN: "${TOKEN}" } }),
      'mcp.json: mcpServers.a.envFrom.TOKEN: expected "header:NAME", "query:NAME" or "bearer"',
    ],
    [
      server({ headerToEnv: {} }),
      'mcp.json: mcpServers.a: "headerToEnv" is of another program: write "envFrom": { "TOKEN": "header:x-token" }',
    ],
    [
      { ...server({}), headerToEnv: {} },
      'mcp.json: "headerToEnv" is of another program: write "envFrom": { "TOKEN": "header:x-token" }',
    ],
    [
      server({ env: { K: "a ${input:key}" } }),
      "mcp.json: mcpServers.a.env.K: only an editor knows ${input:key}: use ${VAR}",
    ],
    [
      server({ env: { K: "${constructor}" } }),
      "mcp.json: mcpServers.a.env.K: the environment variable constructor is not set",
    ],
    [
      server({ envFile: ".env" }),
      'mcp.json: mcpServers.a: "envFile" is not read: put the variables into "env"',
    ],
    ...["disabledTools", "excludeTools"].map((key) => {
      const message = `mcp.json: mcpServers.a: "${key}" is of another program: write "tools": { "deny": [...] }`;
      return [server({ [key]: ["x"] }), message] as const;
    }),
    ...["enabledTools", "includeTools"].map((key) => {
      const message = `mcp.json: mcpServers.a: "${key}" is of another program: write "tools": { "allow": [...] }`;
      return [server({ [key]: ["x"] }), message] as const;
    }),
    [{ mcpServers: { a: { cmd: "x" } } }, 'mcp.json: mcpServers.a: "cmd" is called "command"'],
    [
      { servers: { a: { command: "x" } }, inputs: [] },
      'mcp.json: mcpServers: missing (VS Code calls it "servers": rename it)',
    ],
    [server({ allowEnv: [1] }), "mcp.json: mcpServers.a.allowEnv[0]: expected string, found number"],
    [server({ allowEnv: "*" }), "mcp.json: mcpServers.a.allowEnv: expected array, found string"],
    [
      server({ allowEnv: ["A", "PATH"] }),
      "mcp.json: mcpServers.a.allowEnv[1]: PATH can never be set by a request",
    ],
    [
      server({ allowEnv: ["*_KEY"] }),
      'mcp.json: mcpServers.a.allowEnv[0]: expected a name, PREFIX_* or *, found "*_KEY"',
    ],
    [{ ...server({}), allowEnv: ["*"] }, 'mcp.json: "allowEnv" belongs to a server, below mcpServers'],
    [{ ...server({}), limits: {} }, 'mcp.json: "limits" belongs to a server, below mcpServers'],
    [{ ...server({}), permissions: {} }, 'mcp.json: "permissions" belongs to a server, below mcpServers'],
    [{ ...server({}), wrapper: ["x"] }, 'mcp.json: "wrapper" belongs to a server, below mcpServers'],
    [
      { ...server({}), authKeys: ["x"] },
      'mcp.json: "authKeys" is an option of the command and of the library, and has no effect in this file',
    ],
    [
      server({ maxQueued: 1 }),
      'mcp.json: mcpServers.a: "maxQueued" is an option of the command and of the library, and has no effect in this file',
    ],
    [
      { ...server({}), allowedhosts: [] },
      'mcp.json: unknown key "allowedhosts": did you mean "allowedHosts"?',
    ],
    [server({ requestTimeout: 1 }), did("requestTimeout", "requestTimeoutMs")],
    [server({ requesttimeoutms: 1 }), did("requesttimeoutms", "requestTimeoutMs")],
    [server({ comand: "x" }), did("comand", "command")],
    [server({ Args: [] }), did("Args", "args")],
    [server({ arg: [] }), did("arg", "args")],
    [server({ dissabled: true }), did("dissabled", "disabled")],
    [server({ allowenv: [] }), did("allowenv", "allowEnv")],
    [server({ tool: {} }), did("tool", "tools")],
    [
      server({ args: 1, cwd: 1 }),
      "mcp.json: mcpServers.a.args: expected array, found number; mcp.json: mcpServers.a.cwd: expected string, found number",
    ],
  ];
  for (const [file, message] of rows) {
    test(`: ${JSON.stringify(file)}`, () =>
      assert.throws(() => parse(file), new ConfigurationError(message)));
  }

  test(": a server that stands twice", () => {
    const text = '{"mcpServers":{"a":{"command":"x"},\n"a":{"command":"y"}}}';
    const message = "mcp.json:2:1: mcpServers.a: stands twice";
    assert.throws(() => parse(text), new ConfigurationError(message));
  });

  test(": what is not JSON", () => {
    assert.throws(() => parse("{ a: 1 }"), new ConfigurationError("mcp.json:1:3: not valid JSON"));
  });
});

function did(key: string, meant: string): string {
  return `mcp.json: mcpServers.a: unknown key "${key}": did you mean "${meant}"?`;
}

describe("MCP_SERVER_CONFIG", () => {
  test("may be a command line, which expands nothing", () => {
    assert.deepEqual(parseMcpServerConfig("npx -y '@a/b c' ${X}", { X: "1" }), {
      mcpServers: { default: { command: "npx", args: ["-y", "@a/b c", "${X}"] } },
    });
  });

  for (const text of [
    '{"mcpServers":{"a":{"command":"${X}"}}}',
    '\n // why\n{"mcpServers":{"a":{"command":"${X}"}}}',
  ]) {
    test(`may be the text of an mcp.json: ${JSON.stringify(text)}`, () => {
      const { mcpServers } = parseMcpServerConfig(text, { X: "1" });
      assert.deepEqual(mcpServers, { a: { command: "1", args: [], env: {} } });
    });
  }

  test("is what its errors name", () => {
    const message = "MCP_SERVER_CONFIG: mcpServers.a.command: missing";
    assert.throws(() => parseMcpServerConfig('{"mcpServers":{"a":{}}}', {}), new ConfigurationError(message));
    assert.throws(
      () => parseMcpServerConfig("node 'a", {}),
      new ConfigurationError("MCP_SERVER_CONFIG: a quote is never closed"),
    );
  });
});
