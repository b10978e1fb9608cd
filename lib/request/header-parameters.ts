import { HOLDS_DATA, HOLDS_NAMED } from "../eras/json-schema.ts";
import { isObject, paramsText } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { isObjectText, memberText, members } from "../rawjson.ts";
import { encodedValue, headerValue, mismatch } from "./headers.ts";

/** Headers that repeat arguments of a tool. Source: 2026-07-28/basic/transports/streamable-http, Custom Headers. */

/** A header that repeats an argument of a tool. */
export interface HeaderParameter {
  /** The full name of the header, in lower case. */
  readonly header: string;
  /** The names that lead to the argument. */
  readonly path: readonly string[];
}

const PREFIX = "mcp-param-";
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const PRIMITIVES: ReadonlySet<unknown> = new Set(["integer", "string", "boolean"]);

/**
 * The headers that a tool's input schema asks for by `x-mcp-header` (Schema Extension). A schema that breaks the
 * rules for that asks for none: no client may use it.
 */
export function headerParameters(inputSchema: unknown): readonly HeaderParameter[] {
  const found = annotationsIn(inputSchema);
  return isValid(found) ? found.map(({ header, path }) => ({ header, path })) : [];
}

/** Whether a tool's input schema breaks the rules for that: its clients must not see the tool (Schema Extension). */
export function breaksHeaderRules(inputSchema: unknown): boolean {
  return !isValid(annotationsIn(inputSchema));
}

function isValid(found: readonly Annotation[]): boolean {
  const names = new Set(found.map(({ header }) => header));
  return found.every(({ valid }) => valid) && names.size === found.length;
}

interface Annotation extends HeaderParameter {
  readonly valid: boolean;
}

/** The name of an argument, and how it is reached. Linked: paths as arrays would be quadratic in a deep schema. */
interface Path {
  readonly name: string;
  readonly parent: Path | undefined;
}

const ROOT: Path = { name: "", parent: undefined };

function namesOn(path: Path | undefined): string[] {
  const names: string[] = [];
  for (let step = path; step && step !== ROOT; step = step.parent) names.push(step.name);
  return names.toReversed();
}

/** A place in a schema. */
interface Place {
  readonly value: unknown;
  /** How the arguments lead here; undefined where more than `properties` led here. */
  readonly path: Path | undefined;
  /** Whether this is a map of arguments, whose keys are names and no keywords. */
  readonly isMap: boolean;
}

/** Every annotation, wherever it stands. Not by recursion: a schema may be nested as deep as JSON may. */
function annotationsIn(schema: unknown): readonly Annotation[] {
  const found: Annotation[] = [];
  const places: Place[] = [{ value: schema, path: ROOT, isMap: false }];
  for (let place = places.pop(); place; place = places.pop()) {
    const annotation = annotationAt(place);
    if (annotation) found.push(annotation);
    for (const inner of placesIn(place).toReversed()) places.push(inner);
  }
  return found;
}

function annotationAt({ value, path, isMap }: Place): Annotation | undefined {
  if (isMap || !isObject(value) || value[ANNOTATION] === undefined) return undefined;
  const token = typeof value[ANNOTATION] === "string" ? value[ANNOTATION].toLowerCase() : "";
  const isArgument = path !== undefined && path !== ROOT;
  const valid = isArgument && TOKEN.test(token) && PRIMITIVES.has(value["type"]);
  return { header: PREFIX + token, path: namesOn(path), valid };
}

const ANNOTATION = "x-mcp-header";

function placesIn({ value, path, isMap }: Place): Place[] {
  if (Array.isArray(value)) {
    return value.map((element: unknown) => ({ value: element, path: undefined, isMap: false }));
  }
  if (!isObject(value)) return [];
  if (isMap) return Object.entries(value).map(([name, inner]) => argument(path, name, inner));
  return Object.entries(value)
    .filter(([key]) => !HOLDS_DATA.has(key))
    .map(([key, inner]) => {
      const isProperties = key === "properties";
      return { value: inner, path: isProperties ? path : undefined, isMap: HOLDS_NAMED.has(key) };
    });
}

function argument(path: Place["path"], name: string, value: unknown): Place {
  return { value, path: path && { name, parent: path }, isMap: false };
}

/**
 * Compares the headers of a tools/call with what they repeat.
 * @throws HEADER_MISMATCH
 */
export function checkToolHeaders(
  headers: Headers,
  parameters: readonly HeaderParameter[],
  { text }: Message<RequestValue>,
): void {
  if (parameters.length === 0) return;
  const args = memberText(paramsText(text), "arguments");
  refuseRepeated(parameters, args);
  checkParameterHeaders(headers, parameters, args === undefined ? undefined : JSON.parse(args));
}

/** Whether a request has headers that only the tool's schema can explain. */
export function hasParameterHeaders(headers: Headers): boolean {
  return [...headers.keys()].some((name) => name.startsWith(PREFIX));
}

/**
 * Compares the headers with the arguments that they repeat (Server Behavior for Custom Headers). Headers that the
 * tool does not know are ignored.
 * @throws HEADER_MISMATCH
 */
export function checkParameterHeaders(
  headers: Headers,
  parameters: readonly HeaderParameter[],
  args: unknown,
): void {
  for (const { header, path } of parameters) {
    const wanted = valueAt(args, path) ?? undefined;
    const found = headerValue(headers, header);
    if (wanted === undefined && found !== undefined) throw mismatch(`${header} repeats no argument`);
    if (wanted !== undefined && found === undefined) throw mismatch(`${header} is missing`);
    if (wanted !== undefined && !isSame(found, wanted)) {
      throw mismatch(`${header} does not match the argument ${path.join(".")}`);
    }
  }
}

/**
 * Of two equal members on the way to such an argument, a header could repeat one and the server read the other.
 * @param args the raw arguments
 * @throws HEADER_MISMATCH
 */
function refuseRepeated(parameters: readonly HeaderParameter[], args: string | undefined): void {
  for (const { header, path } of parameters) {
    let object = args;
    for (const name of path) {
      if (!isObjectText(object)) break;
      const found = members(object).filter(({ key }) => key === name);
      if (found.length > 1) throw mismatch(`${header} repeats an argument that stands there twice`);
      object = found[0] && object.slice(found[0].start, found[0].end);
    }
  }
}

/**
 * The headers that repeat arguments, for a server that checks them. An argument that is null, missing, or of a type that
 * no header can repeat has none (Client Behavior).
 * @param args parsed
 */
export function writtenHeaders(
  parameters: readonly HeaderParameter[],
  args: unknown,
): Readonly<Record<string, string>> {
  const written = parameters.flatMap(({ header, path }): [string, string][] => {
    const value = valueAt(args, path);
    const text = Number.isSafeInteger(value) ? String(value) : textOf(value);
    return text === undefined ? [] : [[header, encodedValue(text)]];
  });
  return Object.fromEntries(written);
}

function valueAt(args: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
    args,
  );
}

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Integers compare as numbers: `42.0` is `42` (Server Validation), as far as they are safe (Schema Extension). */
function isSame(header: string | undefined, value: unknown): boolean {
  if (header === undefined) return false;
  if (typeof value !== "number") return header === textOf(value);
  const isSafe = Math.abs(value) <= Number.MAX_SAFE_INTEGER;
  return isSafe && NUMBER.test(header) && Number(header) === value;
}

/** An argument of another type than its schema says repeats nothing. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "boolean" ? String(value) : undefined;
}
