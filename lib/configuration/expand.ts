import { ConfigurationError } from "./error.ts";

export type Variables = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;
/** What an editor asks its user for, or looks up in its settings. As a text it would be a wrong key, found out far away. */
const OF_AN_EDITOR = /\$\{(?:input|command|config):[^}]*\}/;

/** A variable that a text names. */
interface VariableReference {
  readonly name: string;
  readonly hasDefault: boolean;
}

/** What {@link expand} would replace in the text. */
export function referencesIn(text: string): VariableReference[] {
  return [...text.matchAll(REFERENCE)].map(([, name = "", fallback]) => ({
    name,
    hasDefault: fallback !== undefined,
  }));
}

/**
 * Replaces `${VAR}` and `${VAR:-default}`; as in a shell, the default also stands in for an empty value. `${env:VAR}`,
 * as editors write it, is the same.
 * @param place where the text stands, for the error
 * @throws ConfigurationError for a variable that is not set and has no default, and for what only an editor knows
 */
export function expand(text: string, variables: Variables, place: string): string {
  const [unknown] = OF_AN_EDITOR.exec(text) ?? [];
  if (unknown !== undefined)
    throw new ConfigurationError(`${place}: only an editor knows ${unknown}: use \${VAR}`);
  return text.replace(REFERENCE, (_, name: string, fallback?: string) => {
    const own = Object.hasOwn(variables, name) ? variables[name] : undefined;
    const value = fallback === undefined ? own : own || fallback;
    if (value !== undefined) return value;
    throw new ConfigurationError(`${place}: the environment variable ${name} is not set`);
  });
}
