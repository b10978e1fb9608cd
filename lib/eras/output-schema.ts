import { isObject } from "../jsonrpc.ts";
import { deleteMember, elements, memberText, members } from "../rawjson.ts";

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
  const moved = memberText(schema, "$id") === undefined ? moveReferences(inner, 0) : inner;
  const head = dialect === undefined ? "" : `"$schema":${dialect},`;
  return `{${head}"type":"object","properties":{"result":${moved}},"required":["result"]}`;
}

/** Members that hold data, in which a `$ref` is no reference. */
const DATA = new Set(["const", "enum", "default", "examples"]);

/** Every reference to the root, or from the root, now that the schema stands inside another. */
function moveReferences(schema: string, depth: number): string {
  const [first] = schema.trimStart();
  if (depth > MAX_DEPTH || (first !== "{" && first !== "[")) return schema;
  if (first === "[")
    return `[${elements(schema)
      .map((element) => moveReferences(element, depth + 1))
      .join(",")}]`;
  if (depth > 0 && memberText(schema, "$id") !== undefined) return schema;
  let moved = schema;
  // From the last one, so that the places of those before it stay right.
  for (const { key, start, end } of members(schema).toReversed()) {
    const value = schema.slice(start, end);
    moved = moved.slice(0, start) + movedMember(key, value, depth) + moved.slice(end);
  }
  return moved;
}

function movedMember(key: string, value: string, depth: number): string {
  if (DATA.has(key)) return value;
  if (key !== "$ref" && key !== "$dynamicRef") return moveReferences(value, depth + 1);
  const reference: unknown = JSON.parse(value);
  const isOfRoot = typeof reference === "string" && /^#(?:\/|$)/.test(reference);
  return isOfRoot ? JSON.stringify(MOVED_ROOT + reference.slice(1)) : value;
}
