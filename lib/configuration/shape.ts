import * as z from "zod/mini";

import { isObject } from "../jsonrpc.ts";
import { ConfigurationError } from "./error.ts";
import { meantKey, nearestKey } from "./misspelling.ts";

/**
 * A schema for each member of a type, which lets nothing through that the type does not. A member that is added to the
 * type and not here does not compile.
 */
export type Members<Options> = {
  readonly [Key in keyof Options]-?: z.ZodMiniType<Read<Options[Key]> | undefined>;
};

/** A value as a schema reads it: what may be left out of an object may be undefined too. */
type Read<Value> = Value extends readonly unknown[] | ((...values: never[]) => unknown)
  ? Value
  : Value extends object
    ? { readonly [Key in keyof Value]: Value[Key] | undefined }
    : Value;

/** What keys are there beside the members. */
export interface OtherKeys {
  /** Of other tools: only what is probably a misspelt member is refused. Otherwise every one is. */
  readonly open?: true;
  /** Keys that are refused with a word of their own, as to ignore them could open what they were meant to close. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Behind the complaint about a key that is like no member. */
  readonly hint?: string;
}

/** More of them are no help in a message. */
const MAX_LISTED = 3;

/** An object with those members. Its keys come first: a misspelt one explains what else is wrong. */
export function shape<const Schemas extends z.core.$ZodShape>(members: Schemas, others: OtherKeys = {}) {
  const known = Object.keys(members);
  const keys = z.unknown().check(({ value, issues }) => {
    if (!isObject(value)) return;
    const message = Object.keys(value)
      .map((key) => flawOfKey(key, known, others))
      .find((flaw) => flaw !== undefined);
    if (message !== undefined) issues.push({ code: "custom", message, input: value });
  });
  return z.pipe(keys, z.looseObject(members));
}

function flawOfKey(key: string, members: readonly string[], others: OtherKeys): string | undefined {
  const { open = false, refused = {}, hint } = others;
  if (members.includes(key)) return undefined;
  if (Object.hasOwn(refused, key)) return `"${key}" ${refused[key]}`;
  const known = [...members, ...Object.keys(refused)];
  const meant = open ? meantKey(key, known) : nearestKey(key, members);
  if (meant !== undefined) return `unknown key "${key}": did you mean "${meant}"?`;
  if (open) return undefined;
  const rest = hint ?? (members.length <= MAX_LISTED ? `expected ${oneOf(members)}` : undefined);
  return rest === undefined ? `unknown key "${key}"` : `unknown key "${key}": ${rest}`;
}

function oneOf(names: readonly string[]): string {
  const quoted = names.map((name) => `"${name}"`);
  return [quoted.slice(0, -1).join(", "), ...quoted.slice(-1)].filter((part) => part !== "").join(" or ");
}

/** Where a value stands: in a file, and in which member of it. Without both, it is the options of the library. */
export interface Place {
  readonly file?: string;
  readonly member?: string;
}

/** @throws ConfigurationError with every place that is wrong, and what was expected there */
export function check<Schema extends z.ZodMiniType>(
  schema: Schema,
  value: unknown,
  place: Place = {},
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConfigurationError(parsed.error.issues.map((issue) => describe(issue, value, place)).join("; "));
}

function describe(issue: z.core.$ZodIssue, value: unknown, { file, member = "" }: Place): string {
  const steps = issue.path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  const path = (member + steps.join("")).replace(/^\./, "");
  const where = [file, path].filter((part) => part !== undefined && part !== "").join(": ");
  return `${where || "options"}: ${complaint(issue, value, path !== "")}`;
}

/** Never quotes a value: it may be a key. */
function complaint(issue: z.core.$ZodIssue, value: unknown, isMember: boolean): string {
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  const found = issue.path.reduce(
    (inner, step) => (Object(inner) as Record<PropertyKey, unknown>)[step],
    value,
  );
  if (found === undefined && isMember) return "missing";
  if (issue.code !== "invalid_type" || issue.message !== "Invalid input") return issue.message;
  return `expected ${issue.expected === "record" ? "object" : issue.expected}, found ${kindOf(found)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
