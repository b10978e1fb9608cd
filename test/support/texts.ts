import * as fc from "fast-check";
import type { Arbitrary } from "fast-check";

/** JSON as text: arbitrary values, and an oracle of what a translation has left alone. It shares no code with lib/. */

/** Values for each property, and where they begin: `npm run fuzz` sets both. */
const { FUZZ_RUNS = "200", FUZZ_SEED = "20260728" } = process.env;
const PARAMETERS = { numRuns: Number(FUZZ_RUNS), seed: Number(FUZZ_SEED) };

/** Holds for many values, the same ones at every run. */
export function always<Value>(arbitrary: Arbitrary<Value>, check: (value: Value) => void): void {
  fc.assert(fc.property(arbitrary, check), PARAMETERS);
}

/** The same for what takes its time. */
export function eventually<Value>(
  arbitrary: Arbitrary<Value>,
  check: (value: Value) => Promise<void>,
): Promise<void> {
  return fc.assert(fc.asyncProperty(arbitrary, check), PARAMETERS);
}

/** What a rule names: a member with `null` wholly; of others the members named in turn, or those of each element. */
export interface Rule {
  readonly [member: string]: Rule | readonly [Rule] | null;
}

/** The members that the rule does not name, in order, with the text of their values. A `_meta` without any is left out. */
export function untouched(text: string, rule: Rule): unknown[] {
  return pairs(text).flatMap(([key, value]): unknown[] => {
    const inner = Object.hasOwn(rule, key) ? rule[key] : undefined;
    if (inner === null) return [];
    const rest = inner === undefined ? value : untouchedWithin(value, inner);
    return key === "_meta" && rest.length === 0 ? [] : [[key, rest]];
  });
}

function untouchedWithin(value: string, rule: Rule | readonly [Rule]): unknown[] | string {
  if (!isList(rule)) return value.startsWith("{") ? untouched(value, rule) : value;
  if (value.startsWith("{")) return value;
  return pieces(value).map((item) => (item.startsWith("{") ? untouched(item, rule[0]) : item));
}

/** The members that the rule names with `null`, as far as they are there. */
export function named(text: string, rule: Rule): string[] {
  return pairs(text).flatMap(([key, value]) => {
    const inner = Object.hasOwn(rule, key) ? rule[key] : undefined;
    if (inner === null) return [key];
    if (inner === undefined) return [];
    const objects = isList(inner) ? (value.startsWith("[") ? pieces(value) : []) : [value];
    const within = isList(inner) ? inner[0] : inner;
    return objects.filter((item) => item.startsWith("{")).flatMap((item) => named(item, within));
  });
}

function isList(rule: Rule | readonly [Rule]): rule is readonly [Rule] {
  return Array.isArray(rule);
}

/** The members of an object, duplicates included: decoded key and text of the value. */
export function pairs(text: string): [key: string, value: string][] {
  return pieces(text).map((piece) => {
    const [, key = "", value = ""] = /^("(?:[^"\\]|\\.)*")\s*:\s*(.*)$/s.exec(piece) ?? [];
    return [JSON.parse(key) as string, value];
  });
}

/** The text of a member, if there is one. */
export function textAt(text: string, key: string): string | undefined {
  return pairs(text).findLast(([candidate]) => candidate === key)?.[1];
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

/** What stands between the outermost brackets, cut at the commas. */
export function pieces(text: string): string[] {
  const found: string[] = [];
  let [depth, start] = [0, 0];
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (depth === 1 && /^[,}\]]$/.test(token)) {
      found.push(text.slice(start, index).trim());
      start = index + 1;
    }
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (depth === 1 && start === 0) start = index + 1;
  }
  return found.filter((piece) => piece !== "");
}

const SPACE = fc.constantFrom("", "", "", " ", "\n", "\t\r\n ");

/** What JSON.parse and JSON.stringify would not give back as it was. */
const LITERALS = [
  "null",
  "true",
  "0",
  "-0",
  "1.50",
  "-1E-7",
  "1e400",
  "9007199254740993",
  "-98765432109876543210",
];
const NESTED = [`${"[".repeat(300)}1.0${"]".repeat(300)}`, `${'{"_meta": '.repeat(99)}{} ${"}".repeat(99)}`];

/** Keys that other levels of a message give a meaning to, and those that JavaScript does. */
const NAMES = [
  "_meta",
  "params",
  "result",
  "resultType",
  "tools",
  "execution",
  "extensions",
  "code",
  "ttlMs",
  "tasks",
];
const ODD = [
  "",
  "__proto__",
  "constructor",
  "toString",
  '"',
  "}",
  "],[{",
  "a\\",
  "é",
  "😀",
  "\u2028",
  "\uFEFF",
  "\n",
];

const STRING = fc.oneof(
  fc.constantFrom(...ODD, ...NAMES),
  fc.string({ maxLength: 6 }),
  fc.string({ unit: "binary", maxLength: 4 }),
);
/** JSON.parse of Node 24 misreads escaped keys after a key that begins with a backslash (nodejs/node#63785). */
const KEY = STRING.filter((key) => !key.startsWith("\\"));

const { value, object } = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.constantFrom(...LITERALS, ...NESTED),
    written(STRING),
    spaced(fc.array(tie("value"), { maxLength: 3 })).map((items) => `[${items}]`),
    tie("object"),
  ),
  object: spaced(fc.array(member(KEY, tie("value")), { maxLength: 4 })).map((all) => `{${all}}`),
}));

/** Any object. */
export const objects = object;

/** Any value, with those that have something of an object. */
export const values = fc.oneof(
  { arbitrary: value, weight: 5 },
  fc.constantFrom(
    '""',
    '"{}"',
    "[]",
    "{}",
    '["_meta"]',
    '["serverInfo",5]',
    '["capabilities"]',
    '["tools",{}]',
    "[{}]",
  ),
);

/** An object in which each of these members may stand, among others that have other names. */
export function objectsWith(named: Readonly<Record<string, Arbitrary<string>>>): Arbitrary<string> {
  const known = Object.entries(named).map(([key, value]) =>
    fc.option(placed(member(fc.constant(key), value))),
  );
  const others = fc.array(
    placed(
      member(
        KEY.filter((key) => !Object.hasOwn(named, key)),
        value,
      ),
    ),
    { maxLength: 4 },
  );
  return fc.tuple(fc.tuple(...known), others, SPACE).map(([few, many, space]) => {
    const all = [...few, ...many].filter((entry) => entry !== null);
    const inOrder = all.toSorted((one, other) => one.place - other.place);
    return `{${inOrder.map(({ text }) => text).join(",")}${space}}`;
  });
}

/** An array of such values. */
export function listsOf(items: Arbitrary<string>): Arbitrary<string> {
  return spaced(fc.array(items, { maxLength: 3 })).map((all) => `[${all}]`);
}

function placed(text: Arbitrary<string>): Arbitrary<{ readonly place: number; readonly text: string }> {
  return fc.record({ place: fc.nat(99), text });
}

function member(key: Arbitrary<string>, value: Arbitrary<string>): Arbitrary<string> {
  return fc
    .tuple(SPACE, written(key), SPACE, SPACE, value, SPACE)
    .map(([before, name, left, right, text, after]) => `${before}${name}${left}:${right}${text}${after}`);
}

function spaced(all: Arbitrary<string[]>): Arbitrary<string> {
  return fc.tuple(all, SPACE).map(([texts, space]) => texts.join(`${space},`) + space);
}

/** As JSON.stringify writes it, or with every UTF-16 unit escaped. */
function written(text: Arbitrary<string>): Arbitrary<string> {
  return fc.tuple(text, fc.boolean()).map(([string, isEscaped]) => {
    if (!isEscaped) return JSON.stringify(string);
    const units = Array.from({ length: string.length }, (_, at) => string.charCodeAt(at));
    return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("")}"`;
  });
}
