import * as z from "zod/mini";

/** What many options are. All may be left out. */

export const texts = z.optional(z.array(z.string()));
export const text = z.optional(z.string());
export const truth = z.optional(z.boolean());

const wholeMs = "expected a whole number of milliseconds";

export const positiveMs = z.optional(z.int(wholeMs).check(z.positive("expected more than 0 milliseconds")));
export const milliseconds = z.optional(
  z.int(wholeMs).check(z.nonnegative("expected 0 milliseconds or more")),
);
export const countOrNone = z.optional(
  z.int("expected a whole number").check(z.nonnegative("expected 0 or more")),
);
export const count = z.optional(z.int("expected a whole number").check(z.positive("expected at least 1")));

export function choice<const Values extends readonly string[]>(values: Values) {
  const quoted = values.map((value) => `"${value}"`).join(", ");
  return z.enum(values, `expected one of ${quoted}`);
}

/** A function is not called to find out more of it. */
export function callback<Callback>() {
  return z.optional(z.custom<Callback>((value) => typeof value === "function", "expected a function"));
}

/** An object of somebody else's making, of which only these functions are used. */
export function withFunctions<Interface extends object>(...names: readonly (keyof Interface & string)[]) {
  const has = (value: unknown): boolean => {
    const members = Object(value) as Readonly<Record<string, unknown>>;
    return names.every((name) => typeof members[name] === "function");
  };
  return z.optional(z.custom<Interface>(has, `expected an object with the functions ${names.join(", ")}`));
}
