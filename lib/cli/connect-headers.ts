import { ConfigurationError } from "../configuration/error.ts";
import { expand } from "../configuration/expand.ts";
import type { Variables } from "../configuration/expand.ts";
import { names } from "../configuration/values.ts";
import { checkHeaders } from "../connect/wire/header-rules.ts";
import { OWN, matches } from "../environment.ts";
import { readFileFor } from "./option-file.ts";

/** A header that somebody asked for. */
export interface GivenHeader {
  readonly name: string;
  readonly value: string;
  /** What errors call it. */
  readonly writtenAs: string;
  /** It comes from a variable of ours, over which an option wins. */
  readonly isVariable: boolean;
}

/** `Name: value`, or `Name=value`: no name has either sign. Source of the name: RFC 9110, 5.6.2. */
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*[:=](.*)$/s;

/** @throws ConfigurationError that shows nothing of the value */
export function headerOf(text: string, writtenAs: string, variables: Variables): GivenHeader {
  const [, name, value = ""] = HEADER.exec(text.trim()) ?? [];
  if (name === undefined) throw new ConfigurationError(`${writtenAs}: expected 'Name: value'`);
  const option = `${writtenAs} ${name}`;
  return header(name, expand(value, variables, option), option);
}

/** One header a line. @throws ConfigurationError that names the file and the line */
export function headersInFile(file: string, writtenAs: string, variables: Variables): GivenHeader[] {
  const lines = readFileFor(writtenAs, file).toString().split(/\r?\n/);
  return lines.flatMap((line, index) => {
    if (/^\s*(?:#.*)?$/.test(line)) return [];
    return [headerOf(line, `${writtenAs}: ${file}, line ${index + 1}`, variables)];
  });
}

/** @throws ConfigurationError */
export function bearerHeader(text: string, writtenAs: string): GivenHeader {
  const token = text.trim().replace(/^bearer\s+/i, "");
  return header("Authorization", token && `Bearer ${token}`, writtenAs);
}

/** @throws ConfigurationError */
export function apiKeyHeader(key: string, writtenAs: string): GivenHeader {
  return header("X-API-Key", key, writtenAs);
}

/**
 * Variables that are sent as headers, by the header that each is mapped to: `NAME=HEADER`, or `PREFIX_*=HEADER-*`, where
 * what follows the prefix ends the name of the header, with `-` for `_`.
 * @throws ConfigurationError for a variable without a header: nothing of the environment leaves by its name alone
 */
export function headersOfVariables(text: string, writtenAs: string, variables: Variables): GivenHeader[] {
  return names(text).flatMap((mapping) => {
    const [, pattern = "", target = ""] = /^([^=]*)=(.*)$/.exec(mapping) ?? [undefined, mapping];
    if (target === "")
      throw new ConfigurationError(`${writtenAs}: write ${pattern}=HEADER, the header that it is`);
    return pattern.endsWith("*")
      ? headersByPrefix(pattern, target, writtenAs, variables)
      : [headerOfVariable(pattern, target, writtenAs, variables)];
  });
}

function headerOfVariable(
  variable: string,
  target: string,
  writtenAs: string,
  variables: Variables,
): GivenHeader {
  // What every object has is no variable.
  const value = Object.hasOwn(variables, variable) ? variables[variable] : undefined;
  if (value !== undefined) return header(target, value, `${writtenAs} ${variable}`);
  throw new ConfigurationError(`${writtenAs}: the environment variable ${variable} is not set`);
}

function headersByPrefix(
  pattern: string,
  target: string,
  writtenAs: string,
  variables: Variables,
): GivenHeader[] {
  const prefix = pattern.slice(0, -1);
  if (prefix === "" || prefix.includes("*") || !/^[^*]*\*$/.test(target)) {
    throw new ConfigurationError(
      `${writtenAs}: expected NAME=HEADER or PREFIX_*=HEADER-*, found "${pattern}=${target}"`,
    );
  }
  const found = Object.keys(variables).filter(
    (name) => matches(pattern, name) && name.length > prefix.length,
  );
  return found
    .filter((name) => !OWN.some((own) => matches(own, name)))
    .map((name) => {
      const rest = name.slice(prefix.length).replaceAll("_", "-");
      return headerOfVariable(name, target.slice(0, -1) + rest, writtenAs, variables);
    });
}

function header(name: string, value: string, writtenAs: string): GivenHeader {
  return { name, value: value.trim(), writtenAs, isVariable: !writtenAs.startsWith("--") };
}

/**
 * All of them, by name. One without a value is left out, as an optional `${VAR:-}` is.
 * @throws ConfigurationError for a header that is given twice with different values, since nobody could tell which one
 * counts, and for one that cannot be sent
 */
export function joinHeaders(all: readonly GivenHeader[]): Record<string, string> {
  const kept = new Map<string, GivenHeader>();
  // An option wins over the environment.
  const inOrder = [...all.filter((one) => !one.isVariable), ...all.filter((one) => one.isVariable)];
  for (const one of inOrder.filter(({ value }) => value !== "")) {
    const before = kept.get(one.name.toLowerCase());
    if (before && before.isVariable === one.isVariable) refuseContradiction(before, one);
    if (!before) kept.set(one.name.toLowerCase(), one);
  }
  return checkHeaders(Object.fromEntries([...kept.values()].map(({ name, value }) => [name, value])));
}

function refuseContradiction(one: GivenHeader, other: GivenHeader): void {
  if (one.value === other.value) return;
  throw new ConfigurationError(
    one.writtenAs === other.writtenAs
      ? `${one.writtenAs} is given twice, with different values`
      : `${one.writtenAs} and ${other.writtenAs} both set the header ${one.name}, with different values`,
  );
}
