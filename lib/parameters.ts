import { KEY_PARAMETER } from "./auth.ts";
import { MayflyError } from "./errors.ts";
import { shortened } from "./logger.ts";
import { OWN_PARAMETERS, isAllowed, isNeverSettable, isVariableName } from "./request-variables.ts";
import type { Server } from "./servers.ts";

/**
 * The variables that a request sets by its URL: every parameter but the key. Older proxies take any parameter as a
 * variable. Whoever relies on that must read why it has no effect, instead of running without a credential.
 * @throws PARAMETER_NOT_ALLOWED, PARAMETER_NEVER_ALLOWED, PARAMETER_NOT_VALID; none of them says a value
 */
export function requestedEnvironment(
  { searchParams }: URL,
  { allowEnv }: Pick<Server, "allowEnv">,
): Record<string, string> {
  const given = [...searchParams].filter(([name]) => name !== KEY_PARAMETER);
  const seen = new Set<string>();
  for (const [name, value] of given) {
    checkName(name, allowEnv);
    if (seen.has(name)) throw notValid(name, "it stands there twice");
    if (value.includes("\0")) throw notValid(name, "its value has a NUL character");
    seen.add(name);
  }
  return Object.fromEntries(given);
}

function checkName(name: string, allowEnv: readonly string[]): void {
  if (OWN_PARAMETERS.has(name)) throw notValid(name, "it means something on other paths only");
  if (!isVariableName(name)) throw notValid(name, "it is not the name of a variable");
  const values = { name: shortened(name) };
  if (isNeverSettable(name)) throw new MayflyError("PARAMETER_NEVER_ALLOWED", { values });
  if (!isAllowed(name, allowEnv)) throw new MayflyError("PARAMETER_NOT_ALLOWED", { values });
}

function notValid(name: string, detail: string): MayflyError {
  return new MayflyError("PARAMETER_NOT_VALID", { values: { name: shortened(name), detail } });
}
