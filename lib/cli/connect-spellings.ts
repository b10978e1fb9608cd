import type { Spelling } from "./spellings.ts";

/** Options of other programs that are stdio servers in front of remote ones. docs/migrating.md lists them. */
export const CONNECT_SPELLINGS: readonly Spelling[] = [
  { written: "--headers", means: "--header" },
  { written: "-H", means: "--header" },
  { written: "--debug-enabled", means: "--debug" },
  { written: "--no-debug", means: "" },
  { written: "--silent", means: "--log-level=silent" },
  { written: "--allow-http", means: "" },
  { written: "--enable-proxy", means: "" },
  { written: "--keep-alive", means: "" },
  { written: "--disable-cookies", means: "" },
];

/** Those with a value that says nothing here: both eras are always served. */
export const WITHOUT_EFFECT: readonly string[] = ["--protocol"];

/** Values of theirs, by our option. */
export const CONNECT_VALUES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "--transport": {
    streamablehttp: "http",
    "http-only": "http",
    "sse-only": "sse",
    "http-first": "auto",
    "sse-first": "auto",
  },
  "--log-level": { DEBUG: "debug", INFO: "info", WARNING: "warn", ERROR: "error", CRITICAL: "error" },
};

const OAUTH =
  "is about logging in by OAuth, which Mayfly does not do: use npx mcp-remote, or --api-access-token";
const CHECKED = "cannot be had: certificates are always checked; --ssl-ca names an authority of your own";
const PATIENT = "has no counterpart: an answer may take as long as the client waits for it";

/** Options that cannot mean anything here, and why: to ignore them would do something else than was asked for. */
export const REFUSED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      ...["--client-id", "--client-secret", "--token-url", "--token-endpoint", "--client-credentials"],
      ...["--static-oauth-client-metadata", "--static-oauth-client-info", "--client-metadata-url"],
      ...[
        "--resource",
        "--disable-resource-parameter",
        "--authorize-param",
        "--use-id-token",
        "--device-code",
      ],
      ...["--host", "--callback-path", "--auth-timeout", "--auth-success-url"],
    ].map((name) => [name, OAUTH]),
  ),
  "--no-verify-ssl": CHECKED,
  "--connect-timeout": PATIENT,
  "--headers-timeout": PATIENT,
  "--body-timeout": PATIENT,
  "--ignore-tool": "has no counterpart: hide tools where they are served, as by --deny-tools of mayfly serve",
  "--ipv4": "has no counterpart: NODE_OPTIONS=--dns-result-order=ipv4first prefers IPv4",
  "--pass-environment": "would send all of your environment: --pass-env NAME=HEADER sends what it names",
};

/** Why certificates cannot go unchecked. */
export const UNCHECKED = `--verify-ssl false ${CHECKED}`;
