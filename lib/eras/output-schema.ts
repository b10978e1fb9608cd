import { isObject } from "../jsonrpc.ts";
import { deleteMember, elementSpans, memberText, members } from "../rawjson.ts";
import type { Member, Span } from "../rawjson.ts";
import { HOLDS_DATA, HOLDS_NAMED } from "./json-schema.ts";

/**
 * Output schemas for legacy clients, who know objects only.
 * Source: 2025-11-25/server/tools, Output Schema; 2026-07-28/changelog, Minor changes 10.
 */

/** Levels of a schema in which references are looked for; a deeper one is no schema that anybody writes. */
const MAX_DEPTH = 100;
const MOVED_ROOT = "#/properties/result";

/** Whether a legacy client could not read results of this schema: the root says anything but an object. */
export function needsWrapping(schema: unknown): boolean {
  return isObject(schema) && schema["type"] !== "object";
}

/** The schema of an object whose member `result` is described by the given schema. */
export function wrapSchema(schema: string): string {
  const dialect = memberText(schema, "$schema");
  const inner = deleteMember(schema, "$schema");
  // With an id of its own, the schema's references are relative to that and not to the root.
  const moved = hasOwnBase(inner) ? inner : moveReferences(inner);
  const head = dialect === undefined ? "" : `"$schema":${dialect},`;
  return `{${head}"type":"object","properties":{"result":${moved}},"required":["result"]}`;
}

/** An id that is empty, or only a name, leaves the base as it is (JSON Schema draft 7, 8.2.3). */
function hasOwnBase(schema: string): boolean {
  const id: unknown = JSON.parse(memberText(schema, "$id") ?? "null");
  return typeof id === "string" && /^[^#]/.test(id);
}

/** Every reference to the root, or from the root, now that the schema stands inside another. Nothing else changes. */
function moveReferences(schema: string): string {
  const pieces: string[] = [];
  let from = 0;
  for (const { start, end, text } of referencesIn({ text: schema, at: 0, depth: 0 })) {
    pieces.push(schema.slice(from, start), text);
    from = end;
  }
  return pieces.join("") + schema.slice(from);
}

/** A part of the schema, where it stands in the whole, and how deep. */
interface Part {
  readonly text: string;
  readonly at: number;
  readonly depth: number;
}

/** What stands in the place of a reference. */
interface Moved extends Span {
  readonly text: string;
}

const REFERENCES = new Set(["$ref", "$dynamicRef", "$recursiveRef"]);

/** Where the references of the root's own base stand, from the first to the last. */
function* referencesIn(part: Part): Generator<Moved, void, void> {
  const opening = part.text.trimStart()[0];
  if (part.depth > MAX_DEPTH) return;
  if (opening === "[") for (const span of elementSpans(part.text)) yield* referencesIn(inner(part, span));
  if (opening !== "{" || (part.depth > 0 && hasOwnBase(part.text))) return;
  for (const member of members(part.text)) {
    if (REFERENCES.has(member.key)) yield* rootReference(part, member);
    else if (HOLDS_NAMED.has(member.key)) yield* referencesInNamed(inner(part, member));
    else if (!HOLDS_DATA.has(member.key)) yield* referencesIn(inner(part, member));
  }
}

function* referencesInNamed(part: Part): Generator<Moved, void, void> {
  if (part.text.trimStart()[0] !== "{" || part.depth > MAX_DEPTH) return;
  for (const member of members(part.text)) yield* referencesIn(inner(part, member));
}

function* rootReference(
  { text, at }: Part,
  { key, keyStart, start, end }: Member,
): Generator<Moved, void, void> {
  const reference: unknown = JSON.parse(text.slice(start, end));
  if (typeof reference !== "string" || !/^(?:#(?:\/|$)|$)/.test(reference)) return;
  const moved = JSON.stringify(MOVED_ROOT + reference.slice(1));
  // It can say "#" and nothing else (JSON Schema 2019-09, 8.2.4.2.1): from now on an ordinary reference says it.
  const isRecursive = key === "$recursiveRef";
  yield isRecursive
    ? { start: at + keyStart, end: at + end, text: `"$ref":${moved}` }
    : { start: at + start, end: at + end, text: moved };
}

function inner({ text, at, depth }: Part, { start, end }: Span): Part {
  return { text: text.slice(start, end), at: at + start, depth: depth + 1 };
}
