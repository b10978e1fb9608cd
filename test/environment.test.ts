import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { SERVE_OPTIONS } from "../lib/cli/serve-options.ts";
import { OF_LAMBDA, OWN, inheritedEnvironment, matches } from "../lib/environment.ts";
import { ConfigurationError, createHandler } from "../lib/index.ts";

/** A pin: a server sees no more of our environment than this, unless the operator names it. */
const INHERITED = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "TERM",
  "TZ",
  "LANG",
  "LANGUAGE",
  "LC_ALL",
  "LC_",
  "TMPDIR",
  "SystemRoot",
  "SystemDrive",
  "windir",
  "ComSpec",
  "PATHEXT",
  "TEMP",
  "TMP",
  "USERNAME",
  "USERPROFILE",
  "HOMEDRIVE",
  "HOMEPATH",
  "APPDATA",
  "LOCALAPPDATA",
  "ProgramFiles",
  "ProgramData",
];

/** A pin: no setting passes these on. */
const NEVER = [
  "AUTH_KEY",
  "AUTH_KEY_FILE",
  "ALLOW_ANONYMOUS",
  "MCP_SERVER_CONFIG",
  "MCP_CONFIG",
  "PASS_ENV",
  "ALLOW_ENV",
  "STATE_SECRET",
  "INPUT_MODE",
  "SSL_KEY_PASSPHRASE",
  "CORS_ORIGIN",
  "ALLOWED_HOSTS",
  "MAX_PROCESSES",
  "MAX_QUEUED",
  "MAX_CONNECTIONS",
  "SHARED_SESSION",
  "SESSION_IDLE",
  "SESSION_RESUME",
  "SPARES",
  "SNAPSHOT",
  "SNAPSHOT_TTL",
  "LOG_LEVEL",
  "PORT",
  "HOST",
  "API_ACCESS_TOKEN",
  "MAYFLY_*",
];

const OTHERS = [
  "AWS_SECRET_ACCESS_KEY",
  "GITHUB_TOKEN",
  "NODE_OPTIONS",
  "NODE_ENV",
  "LD_PRELOAD",
  "npm_config_cache",
  "PATHS",
  "MYPATH",
  "LCX",
  "VERCEL_OIDC_TOKEN",
  "HTTPS_PROXY",
  "SSH_AUTH_SOCK",
  "_",
  "PWD",
];

const ALL = Object.fromEntries([...INHERITED, ...NEVER, ...OTHERS].map((name) => [name, `value of ${name}`]));

function passed(...passEnv: readonly string[]): string[] {
  return Object.keys(inheritedEnvironment(ALL, passEnv));
}

describe("the environment of a server", () => {
  test("is the short list, with its values", () => {
    assert.deepEqual(passed(), INHERITED);
    assert.equal(inheritedEnvironment(ALL, [])["PATH"], "value of PATH");
  });

  test("leaves out what is not set, and keeps what is empty", () => {
    assert.deepEqual(inheritedEnvironment({ PATH: undefined, HOME: "" }, ["*"]), { HOME: "" });
  });

  const rows: readonly (readonly [passEnv: readonly string[], more: readonly string[]])[] = [
    [["GITHUB_TOKEN"], ["GITHUB_TOKEN"]],
    [["NODE_*"], ["NODE_OPTIONS", "NODE_ENV"]],
    [["github_token", "GITHUB", "*_TOKEN", "NO_SUCH"], []],
    [
      ["NODE_ENV", "PWD", "PATH"],
      ["NODE_ENV", "PWD"],
    ],
    [["*"], OTHERS],
    [NEVER, []],
    [
      ["AUTH*", "MCP_*", "P*", "API_ACCESS_*"],
      ["PATHS", "PWD"],
    ],
  ];
  for (const [passEnv, more] of rows) {
    test(`with ${passEnv.slice(0, 4).join(", ")} has ${more.slice(0, 4).join(", ") || "no more"}`, () => {
      assert.deepEqual(passed(...passEnv).toSorted(), [...INHERITED, ...more].toSorted());
    });
  }
});

describe("the environment of a server in a Lambda function", () => {
  /** A pin: these hold the credentials of the function's role, or lead to them. */
  const OF_ROLE = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_REGION",
    "_AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_TASK_ROOT",
    "_LAMBDA_TELEMETRY_LOG_FD",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
  ];
  const own = Object.fromEntries([...OF_ROLE, "GITHUB_TOKEN", "PATH"].map((name) => [name, "x"]));

  for (const passEnv of [["*"], ["AWS_*", "_*", "LAMBDA_*", "GITHUB_*"], [...OF_ROLE, "GITHUB_TOKEN"]]) {
    test(`has no credentials of its role with ${passEnv.slice(0, 3).join(", ")}`, () => {
      const passed = Object.keys(inheritedEnvironment(own, passEnv));
      assert.deepEqual(passed.toSorted(), ["GITHUB_TOKEN", "PATH"]);
    });
  }

  test("elsewhere * passes on the profile of whoever runs Mayfly", () => {
    assert.deepEqual(inheritedEnvironment({ AWS_PROFILE: "x" }, ["*"]), { AWS_PROFILE: "x" });
  });

  test("docs/variables.md lists the same names", async () => {
    const page = await readFile(new URL("../docs/variables.md", import.meta.url), "utf8");
    const [, names = ""] = /In an AWS Lambda function neither are ((?:`[A-Z_*]+` ?)+)/.exec(page) ?? [];
    assert.deepEqual(
      [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
      [...OF_LAMBDA],
    );
  });
});

test("docs/variables.md lists the same names", async () => {
  const page = await readFile(new URL("../docs/variables.md", import.meta.url), "utf8");
  const lineWith = (text: string): string => page.split("\n").find((line) => line.includes(text)) ?? "";
  const namesIn = (line: string): string[] =>
    [...line.matchAll(/`([A-Za-z_]+\*?)`/g)].map(([, name = ""]) => name);
  const inherited = namesIn(lineWith("where Mayfly itself has them"));
  assert.deepEqual(
    INHERITED.filter((name) => !inherited.some((listed) => matches(listed, name))),
    [],
  );
  assert.ok(inherited.every((listed) => INHERITED.some((name) => matches(listed, name))));
  const [own = ""] = lineWith("Mayfly's own are never passed on").split(". In `env`");
  assert.deepEqual(namesIn(own).toSorted(), [...OWN].toSorted());
});

test("every variable that stands for an option is one of our own names", () => {
  const variables = SERVE_OPTIONS.flatMap(({ variable }) => variable ?? []);
  assert.ok(variables.includes("AUTH_KEY"));
  assert.deepEqual(
    variables.filter((name) => !(OWN as readonly string[]).includes(name)),
    [],
  );
});

test("our own names are these, and to pass one on is an error that says so", () => {
  assert.deepEqual([...OWN], NEVER);
  for (const name of NEVER) {
    assert.throws(
      () => createHandler({ mcpServers: { a: { command: "x" } }, passEnv: ["X", name] }),
      new ConfigurationError(`passEnv: ${name} is Mayfly's own and never passed on`),
    );
  }
});

test("every variable that an option is read from is one of Mayfly's own", () => {
  const variables = SERVE_OPTIONS.flatMap(({ variable }) => variable ?? []);
  assert.ok(variables.includes("AUTH_KEY"));
  const own: ReadonlySet<string> = new Set(OWN);
  assert.deepEqual(
    variables.filter((name) => !own.has(name)),
    [],
  );
});
