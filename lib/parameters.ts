import { KEY_PARAMETER, isKey } from "./auth.ts";
import type { AccessRules } from "./auth.ts";
import { describeSource, isSameVariable } from "./credential-sources.ts";
import { MAX_VALUE_BYTES, credentialsOf, flawOfText } from "./credentials.ts";
import { MayflyError } from "./errors.ts";
import type { IncomingRequest } from "./incoming.ts";
import { shortened } from "./logger.ts";
import { OWN_PARAMETERS, isAllowed, isNeverSettable, isVariableName } from "./request-variables.ts";
import type { Server } from "./servers.ts";

/** Parameters of a URL. With the largest value each they are 1 MiB, half of what Linux gives a new program by default. */
const MAX_PARAMETERS = 64;

/**
 * The variables that a request sets: by `envFrom`, and by every other parameter of its URL but the key. Older proxies
 * take any parameter as a variable. Whoever relies on that must read why it has no effect, instead of running without a
 * credential.
 * @throws PARAMETER_NOT_ALLOWED, PARAMETER_NEVER_ALLOWED, PARAMETER_NOT_VALID, PARAMETER_HAS_SOURCE,
 * TOO_MANY_PARAMETERS, CREDENTIAL_NOT_VALID; none of them says a value
 */
export function requestedEnvironment(
  request: Pick<IncomingRequest, "headers">,
  url: URL,
  server: Pick<Server, "allowEnv" | "envFrom">,
  rules: Pick<AccessRules, "authKeys">,
): Record<string, string> {
  const parameters = parametersOf(url, server, rules);
  return { ...parameters, ...credentialsOf(request, url, server, rules) };
}

function parametersOf(
  { searchParams }: URL,
  server: Pick<Server, "allowEnv" | "envFrom">,
  { authKeys }: Pick<AccessRules, "authKeys">,
): Record<string, string> {
  const all = [...searchParams];
  if (all.length > MAX_PARAMETERS) {
    throw new MayflyError("TOO_MANY_PARAMETERS", { values: { limit: MAX_PARAMETERS } });
  }
  const read = new Set([KEY_PARAMETER, ...namesOfSources(server)]);
  const given = all.filter(([name]) => !read.has(name));
  const seen = new Set<string>();
  for (const [name, value] of given) {
    // Where the equals sign is missing or escaped, the name is, or holds, what should have been the value.
    if (isKey(name, authKeys)) throw notValid("***", "it is a key of this host");
    checkName(name, server);
    if (seen.has(name)) throw notValid(name, "it stands there twice");
    checkValue(name, value, authKeys);
    seen.add(name);
  }
  return Object.fromEntries(given);
}

function namesOfSources({ envFrom }: Pick<Server, "envFrom">): string[] {
  return envFrom.flatMap(({ source }) => (source.kind === "query" ? [source.name] : []));
}

function checkName(name: string, { allowEnv, envFrom }: Pick<Server, "allowEnv" | "envFrom">): void {
  if (OWN_PARAMETERS.has(name)) throw notValid(name, "it means something on other paths only");
  if (!isVariableName(name)) throw notValid(name, "it is not the name of a variable");
  const values = { name: shortened(name) };
  if (isNeverSettable(name)) throw new MayflyError("PARAMETER_NEVER_ALLOWED", { values });
  const caller = envFrom.find(({ variable }) => isSameVariable(variable, name));
  if (caller) {
    const source = describeSource(caller.source);
    throw new MayflyError("PARAMETER_HAS_SOURCE", { values: { ...values, source } });
  }
  if (!isAllowed(name, allowEnv)) throw new MayflyError("PARAMETER_NOT_ALLOWED", { values });
}

function checkValue(name: string, value: string, authKeys: readonly string[]): void {
  const flaw = flawOfText(value);
  if (flaw !== undefined) throw notValid(name, flaw);
  const bytes = Buffer.byteLength(name) + Buffer.byteLength(value);
  if (bytes > MAX_VALUE_BYTES) throw notValid(name, `it has more than ${MAX_VALUE_BYTES} bytes`);
  if (isKey(value, authKeys)) throw notValid(name, "its value is a key of this host");
}

function notValid(name: string, detail: string): MayflyError {
  const shown = shortened(name.replace(/=.*$/s, "=…"));
  return new MayflyError("PARAMETER_NOT_VALID", { values: { name: shown, detail } });
}
