import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Option } from "commander";

import { inOurWords } from "../../lib/cli/arguments.ts";
import { ConfigurationError } from "../../lib/configuration/error.ts";
import { commanderOption } from "../../lib/cli/command-option.ts";
import { SERVE_OPTIONS } from "../../lib/cli/serve-options.ts";
import { SPELLINGS } from "../../lib/cli/spellings.ts";

const OPTIONS = [
  new Option("-e, --env <NAME=VALUE>"),
  new Option("--port <number>"),
  new Option("--allow-anonymous"),
];

describe("the pairs of -e", () => {
  const rows: readonly (readonly [what: string, argv: readonly string[], joined: readonly string[]])[] = [
    ["are nothing in an empty command line", [], []],
    ["are joined", ["-e", "A", "1", "node"], ["-e", "A=1", "node"]],
    ["are joined each", ["-e", "A", "1", "--env", "B_2", "x y", "n"], ["-e", "A=1", "--env", "B_2=x y", "n"]],
    ["are joined after serve", ["serve", "-e", "A", "1", "node"], ["serve", "-e", "A=1", "node"]],
    [
      "are joined after other options",
      ["--port", "1", "-e", "A", "1", "n"],
      ["--port", "1", "-e", "A=1", "n"],
    ],
    ["are joined after flags", ["--allow-anonymous", "-e", "A", "1"], ["--allow-anonymous", "-e", "A=1"]],
    ["stay when they are joined already", ["-e", "A=1", "node", "a"], ["-e", "A=1", "node", "a"]],
    [
      "stay joined with an option that holds its value",
      ["--port=1", "-e", "A", "1"],
      ["--port=1", "-e", "A=1"],
    ],
    ["may have a value that looks like an option", ["-e", "A", "-x", "node"], ["-e", "A=-x", "node"]],
    ["of the server's own command stay", ["node", "-e", "A", "1"], ["node", "-e", "A", "1"]],
    ["after -- stay", ["--", "-e", "A", "1"], ["--", "-e", "A", "1"]],
    ["of another command stay", ["build", "-e", "A", "1"], ["build", "-e", "A", "1"]],
    ["without a value stay", ["-e", "A"], ["-e", "A"]],
    ["without a name stay", ["-e", "1A", "1"], ["-e", "1A", "1"]],
    ["are not looked for in a value", ["--port", "-e", "A", "1"], ["--port", "-e", "A", "1"]],
  ];
  for (const [what, argv, joined] of rows) {
    test(what, () => assert.deepEqual(inOurWords(argv, OPTIONS), joined));
  }
});

const SERVE = SERVE_OPTIONS.map((option) => commanderOption(option));

describe("what only a server in mcp.json can have is told from what nothing knows", () => {
  for (const [option, key] of [
    ["--wrapper", "wrapper"],
    ["--env-from=TOKEN=header:x-token", "envFrom"],
    ["--keep-daemons", "keepDaemons"],
  ] as const) {
    test(option, () => {
      const message = `${option.split("=")[0]} is no option: it is "${key}" of a server in mcp.json`;
      assert.throws(() => inOurWords([option, "x"], SERVE), new ConfigurationError(message));
    });
  }

  test("--enf-from, of which nothing is known, stays", () => {
    assert.deepEqual(inOurWords(["--enf-from", "x"], SERVE), ["--enf-from", "x"]);
  });
});

describe("what other proxies call an option is put in our words", () => {
  const rows: readonly (readonly [theirs: string, ours: string])[] = [
    ["--apiKey k --port 1 node --apiKey x", "--auth-key k --port 1 node --apiKey x"],
    ["serve --api-key k -- node", "serve --auth-key k -- node"],
    ["--apiKey=a=b node", "--auth-key=a=b node"],
    ["--sseEndpoint /s --streamEndpoint /m", "--sse-path /s --mcp-path /m"],
    ["--requestTimeout 1 --connectionTimeout 2", "--request-timeout 1 --start-timeout 2"],
    ["--gracefulShutdownTimeout 3 --maxBodySize 4", "--shutdown-timeout 3 --max-body 4"],
    ["--sslCert a --sslKey b --sslCa c", "--ssl-cert a --ssl-key b --ssl-ca c"],
    ["--upstreamProtocol modern --server stream", "--era modern --server mcp"],
    ["--server=stream", "--server=mcp"],
    ["--sse-port=1 --sse-host h", "--port=1 --host h"],
    ["--stateless node --stateless", "--sessions=none node --stateless"],
    ["--no-stateless --no-debug --shell a", "--sessions=shared --shell a"],
    ["--pass-environment --debug a", "--pass-env=* --debug a"],
    ["--no-pass-environment a", "--pass-env= a"],
    ["--log-level WARNING a", "--log-level warn a"],
    ["--named-server-config f.json", "--config f.json"],
    ["--allow-origin * node a", "--cors-origin * node a"],
    ["--allow-origin=* https://x", "--cors-origin=* https://x"],
    [
      "--allow-origin https://a http://b null node c",
      "--cors-origin https://a --cors-origin http://b --cors-origin null node c",
    ],
    ["--allow-origin * --port 1", "--cors-origin * --port 1"],
    ["--cors-origin https://a https://b", "--cors-origin https://a https://b"],
    ["--expose-header A --expose-header B", "--expose-header A --expose-header B"],
    ["-e A 1 --named-server n l --debug", "-e A=1 --named-server n=l --debug"],
    ["--named-server n=l node", "--named-server n=l node"],
    ["--apiKey", "--auth-key"],
    ["build --apiKey", "build --apiKey"],
    ["--unknown --apiKey k", "--unknown --auth-key k"],
    ["- --apiKey k", "- --apiKey k"],
  ];
  for (const [theirs, ours] of rows) {
    test(theirs, () => assert.deepEqual(inOurWords(theirs.split(" "), SERVE), ours.split(" ")));
  }

  test("a command line of several words stays one", () => {
    const argv = ["--named-server", "one", "node 'a b.js' -e", "--", "node"];
    assert.deepEqual(inOurWords(argv, SERVE), ["--named-server", "one=node 'a b.js' -e", "--", "node"]);
  });

  test("every spelling means an option of ours", () => {
    const known = new Set(SERVE.map(({ long }) => long));
    const meant = SPELLINGS.map(({ means }) => means.replace(/=.*$/, "")).filter((name) => name !== "");
    for (const name of meant) assert.ok(known.has(name), name);
    for (const { written } of SPELLINGS) assert.ok(!known.has(written), `${written} is ours`);
  });
});

describe("an option that is given twice", () => {
  const refused: readonly (readonly [argv: string, both: RegExp])[] = [
    [
      "--stateless --sessions shared",
      /^--stateless and --sessions are the same option, with different values$/,
    ],
    ["--stateless --no-stateless", /^--stateless and --no-stateless /],
    ["--pass-environment --pass-env A", /^--pass-environment and --pass-env /],
    ["--pass-env=A --no-pass-environment", /^--pass-env and --no-pass-environment /],
    ["--port 1 --sse-port 2", /^--port and --sse-port /],
    ["--port 1 --port 2", /^--port is given twice, with different values$/],
    ["--port=1 --host h --port 2", /^--port is given twice, /],
    ["--sslKey a --ssl-key=b", /^--sslKey and --ssl-key /],
    ["-e A=secret-1 -e A=secret-2", /^-e A is given twice, /],
    ["-e A secret-1 --env=A=secret-2", /^-e A and --env A are the same option, /],
    ["--named-server n x --named-server n=y", /^--named-server n is given twice, /],
  ];
  for (const [argv, message] of refused) {
    test(`is refused where it differs: ${argv}`, () => {
      const error = { name: "ConfigurationError", message };
      assert.throws(() => inOurWords(argv.split(" "), SERVE), error);
      assert.throws(
        () => inOurWords(argv.split(" "), SERVE),
        (thrown) => !/secret/.test(String(thrown)),
      );
    });
  }

  test("may say the same twice", () => {
    for (const argv of [
      "--port 1 --sse-port 1",
      "--stateless --sessions none",
      "--port 1 --port=1",
      "-e A=1 -e A 1",
    ]) {
      assert.doesNotThrow(() => inOurWords(argv.split(" "), SERVE));
    }
  });

  test("adds up where it is a list, in any spelling", () => {
    for (const [theirs, ours] of [
      ["--allow-origin https://a --cors-origin https://b", "--cors-origin https://a --cors-origin https://b"],
      ["--deny-tools a --deny-tools=b", "--deny-tools a --deny-tools=b"],
      ["--apiKey a --auth-key b", "--auth-key a --auth-key b"],
    ] as const) {
      assert.deepEqual(inOurWords(theirs.split(" "), SERVE), ours.split(" "));
    }
  });
});
