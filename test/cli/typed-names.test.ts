import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { inTypedWords } from "../../lib/cli/typed-names.ts";
import { SERVE_OPTIONS } from "../../lib/cli/serve-options.ts";
import { ConfigurationError, createHandler } from "../../lib/index.ts";
import { adapterOptions } from "../../lib/cli/adapter-options.ts";
import { readLine } from "../support/command-line.ts";
import { toServerOptions } from "../../lib/adapters/tls.ts";

const CONFIG = { mcpServers: { a: { command: "x" } }, baseDirectory: "/" };

/** What is said of a command line that is read, and cannot work. */
function complaint(words: readonly string[], variables: Readonly<Record<string, string>> = {}): string {
  const { settings, names } = readLine([...words, "--", "x"], variables);
  try {
    const options = adapterOptions(CONFIG, settings);
    if (options.tls) toServerOptions(options.tls);
    createHandler(options);
  } catch (error) {
    return (inTypedWords(error, names) as Error).message;
  }
  return assert.fail("it works");
}

const REFUSED: readonly (readonly [words: string, message: RegExp])[] = [
  ["--mcp-path foo", /^--mcp-path: expected a slash at the beginning, found "foo"$/],
  ["--mcp-path tls.key", /found "tls\.key"$/],
  ["--mcp-path /messages", /^--messages-path: is the path of mcp already$/],
  ["--server sse --endpoint foo", /^--endpoint: expected a slash/],
  ["--server mcp --sse-path foo", /^--sse-path: expected a slash/],
  ["--cors-origin foo", /^--cors-origin: "foo" is no origin/],
  ["--cors-origin * --cors-credentials", /^--cors-credentials: not for every origin/],
  ["--cors-origin * --expose-header a:b", /^--expose-header: "a:b" is not a name$/],
  ["--pass-env AUTH_KEY", /^--pass-env: AUTH_KEY is/],
  ["--allow-env PATH", /^--allow-env: PATH can/],
  ["--state-secret x", /^--state-secret: a secret has less/],
  ["--ssl-cert package.json --ssl-key package.json", /^--ssl-cert: it is not a certificate in PEM$/],
  [
    "--ssl-cert test/fixtures/tls/leaf.pem --ssl-key package.json",
    /^--ssl-key: it is not a private key in PEM, or needs --ssl-passphrase-file$/,
  ],
  [
    "--ssl-cert test/fixtures/tls/root.pem --ssl-key test/fixtures/tls/leaf.key",
    /^--ssl-key: it does not belong to --ssl-cert$/,
  ],
];

describe("an error names what was typed", () => {
  for (const [words, message] of REFUSED) {
    test(words, () => assert.match(complaint(words.split(" ")), message));
  }

  test("also where that was a variable", () => {
    assert.match(complaint([], { CORS_ORIGIN: "foo" }), /^CORS_ORIGIN: "foo" is no origin/);
    assert.match(complaint([], { PASS_ENV: "AUTH_KEY" }), /^PASS_ENV: AUTH_KEY is/);
    assert.match(complaint(["--pass-env", "AUTH_KEY"], { PASS_ENV: "A" }), /^--pass-env: AUTH_KEY is/);
  });

  test("and stays as it is where a file says it, or where it is none of ours", () => {
    for (const error of [
      new ConfigurationError("mcp.json: mcpServers.a.allowEnv[0]: PATH"),
      new ConfigurationError('mcpServers.a: "tls.key"'),
      new TypeError("passEnv: a fault"),
    ]) {
      assert.equal(inTypedWords(error, new Map()), error);
    }
  });
});

test("every place is that of one option", () => {
  const places = SERVE_OPTIONS.flatMap(({ places = [] }) => places);
  assert.deepEqual(places, [...new Set(places)]);
});
