/** Variables of ours that every server inherits: where programs and files are, who and where the user is. */
const INHERITED = [
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LANGUAGE", "LC_*", "TMPDIR"],
  // Windows starts hardly any program without these.
  ...["SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT", "TEMP", "TMP", "USERNAME", "USERPROFILE"],
  ...["HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "ProgramFiles", "ProgramData"],
] as const;

/** Mayfly's own variables. No pattern passes them on, not even `*`: AUTH_KEY opens the door. */
export const OWN = [
  ...[
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
  ],
  ...[
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
  ],
  "API_ACCESS_TOKEN",
  "MAYFLY_*",
] as const;

/**
 * What AWS Lambda gives to a function: the credentials of its role, and where its runtime is. Servers have their own in
 * `env`, where the operator has to write them down.
 */
export const OF_LAMBDA = ["AWS_*", "_AWS_*", "LAMBDA_*", "_LAMBDA_*", "_HANDLER", "_X_AMZN_*"] as const;

/** Set by the platform in every function, and in containers that it runs. */
const LAMBDA_MARK = "AWS_LAMBDA_FUNCTION_NAME";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables of ours that a server gets: the inherited ones, and those that the operator names.
 * @param passEnv names, `PREFIX_*`, or `*`
 */
export function inheritedEnvironment(own: Environment, passEnv: readonly string[]): Record<string, string> {
  const kept = own[LAMBDA_MARK] === undefined ? OWN : [...OWN, ...OF_LAMBDA];
  const passes = (name: string): boolean =>
    INHERITED.some((pattern) => matches(pattern, name)) ||
    (!kept.some((mine) => matches(mine, name)) && passEnv.some((pattern) => matches(pattern, name)));
  return Object.fromEntries(
    Object.entries(own).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && passes(entry[0]),
    ),
  );
}

/** Why an entry of `passEnv` cannot work; undefined if it can. Quotes no value, which may be a secret. */
export function flawOfPassed(entry: string): string | undefined {
  if (entry.includes("=")) return "expected a name, found one with its value";
  if (entry !== "" && !entry.slice(0, -1).includes("*")) return undefined;
  return `expected a name, PREFIX_* or *, found "${entry}"`;
}

/** Windows knows PATH as Path. */
const fold = (name: string): string => (process.platform === "win32" ? name.toUpperCase() : name);

/** @param asWritten a name, `PREFIX_*`, or `*` */
export function matches(asWritten: string, asNamed: string): boolean {
  const [pattern, name] = [fold(asWritten), fold(asNamed)];
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
