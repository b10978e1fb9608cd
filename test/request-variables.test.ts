import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { ConfigurationError, createHandler } from "../lib/index.ts";
import { NEVER_SETTABLE, isAllowed, isNeverSettable } from "../lib/request-variables.ts";

/** A pin: whatever the operator allows, a request sets none of these. */
const NEVER = `
  PATH PATHEXT HOME HOMEDRIVE HOMEPATH USERPROFILE APPDATA LOCALAPPDATA XDG_*
  TMPDIR TMP TEMP SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC
  SHELL IFS ENV BASH_ENV BASH_FUNC_* BASHOPTS SHELLOPTS PS4 PROMPT_COMMAND
  LD_* DYLD_* GCONV_PATH GLIBC_TUNABLES
  NODE_* NPM_CONFIG_* TS_NODE_* BUN_* DENO_* PYTHON* UV_* PIP_* PERL5* PERLLIB
  RUBY* GEM_* BUNDLE_* JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH
  DOTNET_* CORECLR_* COR_* PHPRC PHP_INI_SCAN_DIR LUA_*
  GIT_*
  SSL_* OPENSSL_* CURL_CA_BUNDLE REQUESTS_CA_BUNDLE *_PROXY AWS_*
`;

test("the page about variables has the names of the list, in their order", () => {
  const page = readFileSync(new URL("../docs/variables.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  const names = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  assert.deepEqual(names, [...NEVER_SETTABLE]);
});

describe("a request", () => {
  test("never sets what changes how a program is found, loaded or run", () => {
    assert.deepEqual([...NEVER_SETTABLE], NEVER.trim().split(/\s+/));
    for (const name of ["NODE_OPTIONS", "node_options", "http_proxy", "Path", "AUTH_KEY", "port", "LD_"]) {
      assert.equal(isNeverSettable(name), true, name);
    }
  });

  test("sets what only sounds like it, and NODE_ENV and DEBUG", () => {
    for (const name of ["NODE_ENV", "DEBUG", "MYPATH", "HOMES", "PROXY", "PROXY_URL", "GITHUB_TOKEN"]) {
      assert.equal(isNeverSettable(name), false, name);
    }
  });

  test("sets what the operator names, by name, by PREFIX_* or by *", () => {
    assert.deepEqual(
      ["A", "B_1", "B_", "B", "AB", "b_1"].filter((name) => isAllowed(name, ["A", "B_*"])),
      process.platform === "win32" ? ["A", "B_1", "B_", "b_1"] : ["A", "B_1", "B_"],
    );
    assert.equal(isAllowed("ANYTHING", ["*"]), true);
    assert.equal(isAllowed("ANYTHING", []), false);
  });
});

describe("to allow", () => {
  const only = { command: "x" };
  const rows: readonly (readonly [entry: string, reason: string])[] = [
    ["PATH", "PATH can never be set by a request"],
    ["node_options", "node_options can never be set by a request"],
    ["LD_*", "LD_* can never be set by a request"],
    ["AUTH_KEY", "AUTH_KEY can never be set by a request"],
    ["auth_key", "auth_key is a URL parameter of Mayfly's own"],
    ["sessionId", "sessionId is a URL parameter of Mayfly's own"],
    ["*_TOKEN", 'expected a name, PREFIX_* or *, found "*_TOKEN"'],
    ["A-B", 'expected a name, PREFIX_* or *, found "A-B"'],
    ["", 'expected a name, PREFIX_* or *, found ""'],
  ];
  for (const [entry, reason] of rows) {
    test(`${JSON.stringify(entry)} is an error that says why, for all servers and for one`, () => {
      assert.throws(
        () => createHandler({ mcpServers: { only }, allowEnv: ["A", entry] }),
        new ConfigurationError(`allowEnv[1]: ${reason}`),
      );
      assert.throws(
        () => createHandler({ mcpServers: { only: { ...only, allowEnv: [entry] } } }),
        new ConfigurationError(`mcpServers.only.allowEnv[0]: ${reason}`),
      );
    });
  }

  test("names, prefixes, everything, and the exceptions is none", () => {
    const allowEnv = ["GITHUB_TOKEN", "DB_*", "*", "NODE_ENV", "DEBUG", "_x1"];
    assert.doesNotThrow(() => createHandler({ mcpServers: { only }, allowEnv }));
  });
});
