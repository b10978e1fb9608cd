import { OWN, matches } from "./environment.ts";
import { matcherOf } from "./patterns.ts";

/** Variables of a server that a request may set. What the operator allows is parsed here, and what nobody may allow. */

/**
 * Never set by a request, not even where the operator allows `*`: what changes how a program is found, loaded or run,
 * and what it trusts. In upper case; names compare in any case, as Windows, npm and proxies read them.
 */
export const NEVER_SETTABLE = [
  // Where programs, their settings and their files are.
  ...["PATH", "PATHEXT", "HOME", "HOMEDRIVE", "HOMEPATH", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_*"],
  ...["TMPDIR", "TMP", "TEMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC"],
  // Shells: what they run at the start, and how they read a line.
  ...["SHELL", "IFS", "ENV", "BASH_ENV", "BASH_FUNC_*", "BASHOPTS", "SHELLOPTS", "PS4", "PROMPT_COMMAND"],
  // Loaders of the system.
  ...["LD_*", "DYLD_*", "GCONV_PATH", "GLIBC_TUNABLES"],
  // Runtimes and package managers: options, modules and registries.
  ...[
    "NODE_*",
    "NPM_CONFIG_*",
    "TS_NODE_*",
    "BUN_*",
    "DENO_*",
    "PYTHON*",
    "UV_*",
    "PIP_*",
    "PERL5*",
    "PERLLIB",
  ],
  ...["RUBY*", "GEM_*", "BUNDLE_*", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"],
  ...["DOTNET_*", "CORECLR_*", "COR_*", "PHPRC", "PHP_INI_SCAN_DIR", "LUA_*"],
  // Programs that others run, by whose variables they run further ones.
  "GIT_*",
  // Whom a program trusts, which way it goes there, and as whom.
  ...["SSL_*", "OPENSSL_*", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "*_PROXY", "AWS_*"],
] as const;

/** Names that the list would forbid, and that change no more than what a program says or how it behaves. */
const EXCEPTIONS: ReadonlySet<string> = new Set(["NODE_ENV", "DEBUG"]);

const NEVER = [...NEVER_SETTABLE, ...OWN].map((pattern) => matcherOf(pattern));

/** Whether no setting lets a request set the variable. */
export function isNeverSettable(name: string): boolean {
  const folded = name.toUpperCase();
  return !EXCEPTIONS.has(folded) && NEVER.some((forbids) => forbids(folded));
}

/** Parameters of URLs that Mayfly reads itself: the key, sessions of HTTP+SSE, and the depth of a health check. */
export const OWN_PARAMETERS: ReadonlySet<string> = new Set(["auth_key", "session_id", "sessionId", "deep"]);

/** @param allowEnv names, `PREFIX_*`, or `*` */
export function isAllowed(name: string, allowEnv: readonly string[]): boolean {
  return allowEnv.some((pattern) => matches(pattern, name));
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether a variable can have that name. */
export function isVariableName(name: string): boolean {
  return NAME.test(name);
}

/** Why an entry of `allowEnv` cannot work; undefined if it can. */
export function flawOfAllowed(entry: string): string | undefined {
  if (entry === "*") return undefined;
  if (!isVariableName(entry.replace(/\*$/, ""))) return `expected a name, PREFIX_* or *, found "${entry}"`;
  if (OWN_PARAMETERS.has(entry)) return `${entry} is a URL parameter of Mayfly's own`;
  return isNeverSettable(entry) ? `${entry} can never be set by a request` : undefined;
}
