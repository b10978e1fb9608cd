import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { withCommand } from "../../lib/cli/arguments.ts";
import { commanderOption } from "../../lib/cli/command-option.ts";
import { CONNECT_OPTIONS } from "../../lib/cli/connect-options.ts";
import { CONNECT_SPELLINGS, REFUSED } from "../../lib/cli/connect-spellings.ts";
import { SERVE_OPTIONS } from "../../lib/cli/serve-options.ts";
import { readConnectLine } from "../support/command-line.ts";
import { temporaryFolder } from "../support/files.ts";
import { PEM } from "../support/tls.ts";

const URL_OF_TEST = "https://example.com/mcp";

/** The options of the connection, without what every command line has. */
function optionsFor(words: readonly string[], variables = {}): object {
  const { url, variables: _, ...options } = readConnectLine([...words, URL_OF_TEST], variables).options;
  assert.equal(String(url), URL_OF_TEST);
  return options;
}

function headersFor(words: readonly string[], variables = {}): unknown {
  return readConnectLine([...words, URL_OF_TEST], variables).options.headers;
}

describe("which command a command line means", () => {
  const rows: readonly (readonly [argv: readonly string[], command: string])[] = [
    [[URL_OF_TEST], "connect"],
    [["HTTP://localhost:8000/mcp"], "connect"],
    [["connect", URL_OF_TEST], "connect"],
    [["--", URL_OF_TEST], "connect"],
    [["--header", "X: y", URL_OF_TEST], "connect"],
    [["--header=X: y", "--debug", "--ping-interval", "0", URL_OF_TEST], "connect"],
    [["--headers", "X", "y", URL_OF_TEST], "connect"],
    [["-H", "X", "y", URL_OF_TEST, "--transport", "sse"], "connect"],
    [["--api-key", "k", "--ssl-ca", "f", "--log-level", "debug", URL_OF_TEST], "connect"],
    [["--verify-ssl", "f.pem", URL_OF_TEST], "connect"],
    [["--verify-ssl", URL_OF_TEST], "connect"],
    [["--client-id", "x", "--no-verify-ssl", URL_OF_TEST], "connect"],
    [["--protocol", "auto", "--silent", URL_OF_TEST], "connect"],
    [["--sse-url", URL_OF_TEST], "connect"],
    [["--ping-interval", "5", "--debug-enabled", `--sse-url=${URL_OF_TEST}`], "connect"],
    [["node", "server.js", URL_OF_TEST], "serve"],
    [["--", "node", URL_OF_TEST], "serve"],
    [["--cors-origin", URL_OF_TEST, "node", "server.js"], "serve"],
    [["--allow-origin", URL_OF_TEST, URL_OF_TEST, "node"], "serve"],
    [["-e", "BASE", URL_OF_TEST, "node"], "serve"],
    [["-e", `BASE=${URL_OF_TEST}`, "node"], "serve"],
    [["--api-key", "k", "--debug", "node", URL_OF_TEST], "serve"],
    [["--host", "::1", "--debug", "--", "node", "--sse-url", URL_OF_TEST], "serve"],
    [["http-server"], "serve"],
    [["--config", "mcp.json"], "serve"],
    [[], "serve"],
  ];
  for (const [argv, command] of rows) {
    test(`${argv.join(" ") || "nothing"} is ${command}`, () => assert.equal(withCommand(argv)[0], command));
  }

  test("can be told, since no option takes a value in one of them alone", () => {
    const ofServe = new Map(SERVE_OPTIONS.map(commanderOption).map(({ long, required }) => [long, required]));
    for (const { long, required } of CONNECT_OPTIONS.map(commanderOption)) {
      assert.equal(ofServe.get(long) ?? required, required, `${long}`);
    }
  });
});

const NONE = { headers: {} };

describe("options of connect are read", () => {
  const rows: readonly (readonly [words: string, options: object])[] = [
    ["", NONE],
    ["--transport sse", { ...NONE, transport: "sse" }],
    ["--transport=http", { ...NONE, transport: "http" }],
    ["--ping-interval 0", { ...NONE, pingIntervalMs: 0 }],
    ["--ping-interval 2000 --start-timeout 5", { ...NONE, pingIntervalMs: 2000, startTimeoutMs: 5 }],
    ["--max-message 7", { ...NONE, maxMessageBytes: 7 }],
    ["--api-access-token t0ken", { headers: { authorization: "Bearer t0ken" } }],
    ["--api-key k3y --header X:y", { headers: { "x-api-key": "k3y", x: "y" } }],
  ];
  for (const [words, options] of rows) {
    test(words || "without any", () =>
      assert.deepEqual(optionsFor(words.split(" ").filter(Boolean)), options),
    );
  }

  test("behind the URL too", () => {
    const asked = readConnectLine([URL_OF_TEST, "--transport", "sse", "--header", "X: y"]);
    assert.deepEqual([asked.options.transport, asked.options.headers], ["sse", { x: "y" }]);
  });

  test("authorities, from their file", async (t) => {
    const file = join(await temporaryFolder(t), "ca.pem");
    writeFileSync(file, PEM.root);
    assert.deepEqual(optionsFor(["--ssl-ca", file]), { ...NONE, ca: Buffer.from(PEM.root) });
    writeFileSync(file, "s3cret");
    assert.throws(() => optionsFor(["--ssl-ca", file]), {
      message: `--ssl-ca: ${file} holds no certificate in PEM`,
    });
  });

  test("for the log: level and file", () => {
    const logOf = (...words: string[]): unknown[] => {
      const { logLevel, debugFile } = readConnectLine([...words, URL_OF_TEST]);
      return [logLevel, debugFile];
    };
    assert.deepEqual(logOf(), ["info", undefined]);
    assert.deepEqual(logOf("--log-level", "WARNING", "--debug-file", "f"), ["warn", "f"]);
    assert.deepEqual(logOf("--silent", "--debug"), ["debug", undefined]);
  });

  test("and the environment stands for some of them", () => {
    const variables = { API_ACCESS_TOKEN: "t0ken", MAYFLY_API_KEY: "k3y", LOG_LEVEL: "error" };
    assert.deepEqual(headersFor([], variables), { authorization: "Bearer t0ken", "x-api-key": "k3y" });
    assert.equal(readConnectLine([URL_OF_TEST], variables).logLevel, "error");
    assert.deepEqual(headersFor([], { API_ACCESS_TOKEN: "", API_KEY: "of something else" }), {});
  });
});

describe("the URL", () => {
  const urlOf = (text: string, variables = {}): string =>
    String(readConnectLine(["connect", text], variables).options.url);

  test("may name variables", () => {
    assert.equal(
      urlOf("${BASE}/mcp?k=${K:-none}", { BASE: "https://a.example" }),
      "https://a.example/mcp?k=none",
    );
  });

  test("is that of SSE_URL where none is written", () => {
    assert.equal(String(readConnectLine(["connect"], { SSE_URL: URL_OF_TEST }).options.url), URL_OF_TEST);
    assert.equal(String(readConnectLine([URL_OF_TEST], { SSE_URL: "x" }).options.url), URL_OF_TEST);
  });

  test("hands a user and a password on as a header", () => {
    const { url, headers } = readConnectLine(["https://ann:p%40ss@example.com/mcp#x"]).options;
    assert.equal(String(url), URL_OF_TEST);
    assert.deepEqual(headers, { authorization: `Basic ${Buffer.from("ann:p@ss").toString("base64")}` });
  });

  for (const [what, argv] of [
    ["is missing", ["connect"]],
    ["is a path", ["connect", "s3cret/path"]],
    ["is of another scheme", ["connect", "ftp://s3cret@example.com/"]],
    ["has no host", ["connect", "http://:s3cret"]],
    ["names a variable that is not set", ["connect", "https://example.com/${NOT_SET}"]],
  ] as const) {
    test(`that ${what} is an error that does not quote it`, () => {
      assert.throws(
        () => readConnectLine(argv),
        (error: Error) => error.name === "ConfigurationError" && !error.message.includes("s3cret"),
      );
    });
  }

  for (const host of [
    "example.com/mcp",
    "localhost:8000/mcp",
    "//example.com/mcp",
    "wss://example.com/mcp",
  ]) {
    test(`without http or https, as ${host}, is an error that says what to write`, () => {
      assert.throws(() => readConnectLine(["connect", host]), {
        message: "connect: URL must begin with https:// or http://, as https://HOST/mcp",
      });
    });
  }

  test("may be one only", () => {
    assert.throws(() => readConnectLine([URL_OF_TEST, "https://b.example/"]), /too many arguments/);
  });
});

describe("a header", () => {
  const rows: readonly (readonly [text: string, headers: object])[] = [
    ["X-A: b c", { "x-a": "b c" }],
    ["X-A:b", { "x-a": "b" }],
    ["X-A=b:c=d", { "x-a": "b:c=d" }],
    ["X-A: b=c", { "x-a": "b=c" }],
    ["X-A: ${ONE}-${TWO:-2}", { "x-a": "1-2" }],
    ["X-A: ${TWO:-}", {}],
    ["X-A:", {}],
  ];
  for (const [text, headers] of rows) {
    test(`${text} is read`, () => assert.deepEqual(headersFor(["--header", text], { ONE: "1" }), headers));
  }

  test("may come from a file, with comments", async (t) => {
    const file = join(await temporaryFolder(t), "headers");
    writeFileSync(file, "# of ann\r\nX-A: ${ONE}\n\nAuthorization: Bearer t0ken\n");
    assert.deepEqual(headersFor(["--header-file", file], { ONE: "1" }), {
      "x-a": "1",
      authorization: "Bearer t0ken",
    });
    writeFileSync(file, "X-A: 1\ns3cret\n");
    assert.throws(() => headersFor(["--header-file", file]), {
      message: `--header-file: ${file}, line 2: expected 'Name: value'`,
    });
  });

  test("that is a token or a key may come from a file of its own", async (t) => {
    const file = join(await temporaryFolder(t), "secret");
    writeFileSync(file, "s3cret ${NOT_SET}\n");
    assert.deepEqual(headersFor(["--api-access-token-file", file]), {
      authorization: "Bearer s3cret ${NOT_SET}",
    });
    assert.deepEqual(headersFor(["--api-key-file", file]), { "x-api-key": "s3cret ${NOT_SET}" });
    for (const text of ["", "\n", "one\ntwo"]) {
      writeFileSync(file, text);
      assert.throws(() => headersFor(["--api-key-file", file]), {
        message: `--api-key-file: ${file} must hold one line`,
      });
    }
  });

  const wrong: readonly (readonly [words: readonly string[], message: string])[] = [
    [["--header", "s3cret"], "--header: expected 'Name: value'"],
    [["--header", "X A: s3cret"], "--header: expected 'Name: value'"],
    [["--header", "X-A: ${NOT_SET}"], "--header X-A: the environment variable NOT_SET is not set"],
    [["--header", "X-A: s3\ncret"], 'header "X-A": its value has characters that a header cannot have'],
    [["--header", "X-A: ${input:key}"], "--header X-A: only an editor knows ${input:key}: use ${VAR}"],
    [
      ["--header", "X-A: s3cret", "--header", "x-a: other"],
      "--header X-A and --header x-a both set the header X-A, with different values",
    ],
    [
      ["--header", "X-A: s3cret", "--header", "X-A: other"],
      "--header X-A is given twice, with different values",
    ],
    [
      ["--header", "authorization: s3cret", "--api-access-token", "other"],
      "--header authorization and --api-access-token both set the header authorization, with different values",
    ],
    [
      ["--api-key", "s3cret", "--header", "X-Api-Key: other"],
      "--header X-Api-Key and --api-key both set the header X-Api-Key, with different values",
    ],
    [["--header", "Mcp-Session-Id: s3cret"], 'header "Mcp-Session-Id": Mayfly sets it itself'],
    [["--api-access-token", "${NOT_SET}"], "--api-access-token: the environment variable NOT_SET is not set"],
  ];
  for (const [words, message] of wrong) {
    test(`is wrong in ${words.join(" ").replace("\n", "\\n")}`, () => {
      assert.throws(() => headersFor(words), { name: "ConfigurationError", message });
    });
  }

  test("that an option gives wins over that of a variable", () => {
    const variables = { API_ACCESS_TOKEN: "of the environment" };
    assert.deepEqual(headersFor(["--header", "authorization: mine"], variables), { authorization: "mine" });
    assert.deepEqual(headersFor(["--api-access-token", "mine"], variables), { authorization: "Bearer mine" });
  });

  test("given twice with the same value is one", () => {
    assert.deepEqual(headersFor(["--header", "X: y", "--header", "x:y"]), { x: "y" });
    assert.deepEqual(headersFor(["--api-access-token", "Bearer t"]), { authorization: "Bearer t" });
  });
});

describe("variables as headers", () => {
  const variables = {
    TOKEN: "t",
    ACME_API_KEY: "k",
    ACME_TENANT: "n",
    ACME_EMPTY: "",
    MAYFLY_X: "own",
    OTHER: "o",
  };

  test("by name", () => {
    assert.deepEqual(headersFor(["--pass-env", "TOKEN=X-Token,OTHER=X-Other"], variables), {
      "x-token": "t",
      "x-other": "o",
    });
  });

  test("by prefix, and an empty one is left out", () => {
    assert.deepEqual(headersFor(["--pass-env", "ACME_*=X-Acme-*"], variables), {
      "x-acme-api-key": "k",
      "x-acme-tenant": "n",
    });
    assert.deepEqual(headersFor(["--pass-env", "ACME_*=*", "--pass-env=TOKEN=X"], variables), {
      "api-key": "k",
      tenant: "n",
      x: "t",
    });
  });

  test("never those of our own by a prefix", () => {
    assert.deepEqual(headersFor(["--pass-env", "MAY*=X-*"], variables), {});
  });

  const wrong: readonly (readonly [text: string, message: string])[] = [
    ["TOKEN", "--pass-env: write TOKEN=HEADER, the header that it is"],
    ["ACME_*", "--pass-env: write ACME_*=HEADER, the header that it is"],
    ["*=*", '--pass-env: expected NAME=HEADER or PREFIX_*=HEADER-*, found "*=*"'],
    ["ACME_*=X-Acme", '--pass-env: expected NAME=HEADER or PREFIX_*=HEADER-*, found "ACME_*=X-Acme"'],
    ["NOT_SET=X", "--pass-env: the environment variable NOT_SET is not set"],
    ["TOKEN=X(", 'header "X(": this is not the name of a header'],
  ];
  for (const [text, message] of wrong) {
    test(`not by ${text}`, () => {
      assert.throws(() => headersFor(["--pass-env", text], variables), {
        name: "ConfigurationError",
        message,
      });
    });
  }
});

test("what no log may show are values of headers, and what a URL has beyond its path", () => {
  const words = ["--header", "X: one-s3cret", "--api-access-token", "two-s3cret"];
  const { secrets } = readConnectLine([...words, "https://example.com/mcp?auth_key=three%20s3cret"]);
  for (const secret of ["one-s3cret", "two-s3cret", "three s3cret", "three%20s3cret"]) {
    assert.ok(secrets.includes(secret), secret);
  }
  assert.ok(!secrets.includes("Bearer"));
  const { secrets: ofUser } = readConnectLine(["https://ann:four-s3cret@example.com/mcp"]);
  assert.ok(ofUser.includes("four-s3cret"));
  assert.ok(ofUser.includes(Buffer.from("ann:four-s3cret").toString("base64")));
});

describe("a wrong value names its option", () => {
  for (const [words, message] of [
    ["--transport stdio", '--transport: expected one of auto, http, sse, found "stdio"'],
    [
      "--ping-interval 60",
      "--ping-interval: expected milliseconds, 1000 or more, or 0 for no pings; found 60",
    ],
    ["--start-timeout x", '--start-timeout: expected a whole number from 0 to 2147483647, found "x"'],
    ["--transport sse --transport http", "--transport is given twice, with different values"],
    ["--debug-file a --debug-file b", "--debug-file is given twice, with different values"],
    ["--ssl-ca /not/there", "--ssl-ca: /not/there cannot be read (ENOENT)"],
  ] as const) {
    test(words, () => {
      assert.throws(() => optionsFor(words.split(" ")), { name: "ConfigurationError", message });
    });
  }
});

describe("what other programs write", () => {
  const rows: readonly (readonly [theirs: readonly string[], ours: readonly string[]])[] = [
    [
      ["--headers", "X-A", "b c"],
      ["--header", "X-A: b c"],
    ],
    [
      ["-H", "X-A", "b", "--headers", "X-B", "c"],
      ["--header", "X-A: b", "--header", "X-B: c"],
    ],
    [
      ["-H", "X-A: b"],
      ["--header", "X-A: b"],
    ],
    [
      ["--transport", "streamablehttp"],
      ["--transport", "http"],
    ],
    [["--transport=http-only"], ["--transport", "http"]],
    [
      ["--transport", "sse-only"],
      ["--transport", "sse"],
    ],
    [
      ["--transport", "http-first"],
      ["--transport", "auto"],
    ],
    [["--verify-ssl"], []],
    [["--verify-ssl", "true"], []],
    [["--allow-http", "--enable-proxy", "--keep-alive", "--protocol", "auto", "--no-debug"], []],
    [["--debug-enabled"], ["--debug"]],
    [["--silent"], ["--log-level", "silent"]],
  ];
  for (const [theirs, ours] of rows) {
    test(`${theirs.join(" ")} is ${ours.join(" ") || "so anyway"}`, () => {
      assert.deepEqual(readConnectLine([...theirs, URL_OF_TEST]), readConnectLine([...ours, URL_OF_TEST]));
    });
  }

  test("--sse-url is a URL of HTTP+SSE, beside which times are in seconds", () => {
    const theirs = ["--sse-url", URL_OF_TEST, "--ping-interval", "5"];
    const ours = ["--transport", "sse", "--ping-interval", "5000", URL_OF_TEST];
    assert.deepEqual(readConnectLine(theirs), readConnectLine(ours));
  });

  test("--verify-ssl FILE names authorities", async (t) => {
    const file = join(await temporaryFolder(t), "ca.pem");
    writeFileSync(file, PEM.root);
    assert.deepEqual(optionsFor(["--verify-ssl", file]), optionsFor(["--ssl-ca", file]));
  });

  test("a port behind the URL is for a login that there is none of", () => {
    assert.deepEqual(readConnectLine([URL_OF_TEST, "9696"]), readConnectLine([URL_OF_TEST]));
  });

  test("is an error that says what to do where it can mean nothing here", () => {
    for (const name of [...Object.keys(REFUSED), "--verify-ssl=false"]) {
      const message = new RegExp(`^${name.replace("=", " ")} .*[:;] `);
      assert.throws(() => readConnectLine(["connect", name, "x", URL_OF_TEST]), {
        name: "ConfigurationError",
        message,
      });
    }
  });

  test("is never an option of ours that means something else", () => {
    const own = new Set(CONNECT_OPTIONS.map((option) => commanderOption(option).long));
    for (const name of [...CONNECT_SPELLINGS.map(({ written }) => written), ...Object.keys(REFUSED)]) {
      assert.ok(!own.has(name), name);
    }
  });
});
