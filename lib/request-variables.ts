import { OWN, matches } from "./environment.ts";
import { NEVER_SETTABLE } from "./never-settable.ts";
import { matcherOf } from "./patterns.ts";

/** Variables of a server that a request may set. What the operator allows is parsed here, and what nobody may allow. */

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

/** Whether a variable can have that name. A server that copies its variables into an object would lose `__proto__`. */
export function isVariableName(name: string): boolean {
  return NAME.test(name) && name !== "__proto__";
}

/** Why an entry of `allowEnv` cannot work; undefined if it can. */
export function flawOfAllowed(entry: string): string | undefined {
  if (entry === "*") return undefined;
  if (!isVariableName(entry.replace(/\*$/, ""))) return `expected a name, PREFIX_* or *, found "${entry}"`;
  if (OWN_PARAMETERS.has(entry)) return `${entry} is a URL parameter of Mayfly's own`;
  return isNeverSettable(entry) ? `${entry} can never be set by a request` : undefined;
}
