import { ConfigurationError } from "./error.ts";

export type Variables = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/**
 * Replaces `${VAR}` and `${VAR:-default}`; as in a shell, the default also stands in for an empty value.
 * @param place where the text stands, for the error
 * @throws ConfigurationError for a variable that is not set and has no default
 */
export function expand(text: string, variables: Variables, place: string): string {
  return text.replace(REFERENCE, (_, name: string, fallback?: string) => {
    const value = fallback === undefined ? variables[name] : variables[name] || fallback;
    if (value !== undefined) return value;
    throw new ConfigurationError(`${place}: the environment variable ${name} is not set`);
  });
}
