import assert from "node:assert/strict";
import { test } from "node:test";

import * as z from "zod/mini";

import { ConfigurationError } from "../../lib/configuration/error.ts";
import { check, shape } from "../../lib/configuration/shape.ts";
import type { Members } from "../../lib/configuration/shape.ts";

interface Options {
  readonly name: string;
  readonly inner?: { readonly size?: number };
}

const INNER = shape({ size: z.optional(z.number()) } satisfies Members<NonNullable<Options["inner"]>>);
const members = { name: z.string(), inner: z.optional(INNER) } satisfies Members<Options>;

test("a member of the type that has no schema does not compile, nor one that lets something else through", () => {
  // @ts-expect-error: inner is forgotten
  void ({ name: z.string() } satisfies Members<Options>);
  // @ts-expect-error: the type has no such member
  void ({ ...members, more: z.string() } satisfies Members<Options>);
  // @ts-expect-error: a number is no name
  void ({ ...members, name: z.number() } satisfies Members<Options>);
});

test("what is wrong is told with its file, its place, and all at once", () => {
  const value = { name: 1, inner: { size: "x" } };
  assert.throws(
    () => check(shape(members), value, { file: "f.json", member: "at" }),
    new ConfigurationError(
      "f.json: at.name: expected string, found number; f.json: at.inner.size: expected number, found string",
    ),
  );
});

test("other keys are refused, or ignored where other tools have theirs", () => {
  const value = { name: "x", other: 1 };
  const message = 'options: unknown key "other": expected "name" or "inner"';
  assert.throws(() => check(shape(members), value), new ConfigurationError(message));
  assert.doesNotThrow(() => check(shape(members, { open: true }), value));
});
