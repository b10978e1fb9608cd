import { isObject } from "../jsonrpc.ts";
import { deleteMember, editMember, isObjectText, memberText, members, setMember } from "../rawjson.ts";
import { INPUT_CAPABILITIES, TASKS_EXTENSION } from "./names.ts";
import type { META } from "./names.ts";

/** What of a party's capabilities makes sense over a process that lives for one request. All edits keep the text. */

/** Capabilities of a client, by name, as far as they can be kept. */
export type ClientCapabilities = Readonly<Record<string, unknown>>;

const PLAIN = ["experimental", "extensions"] as const;

/**
 * Of a client's capabilities those that can be honoured.
 * @param input whether the server may ask the client back
 */
export function keptCapabilities(capabilities: unknown, input: boolean): ClientCapabilities {
  if (!isObject(capabilities)) return {};
  const names = input ? [...PLAIN, ...INPUT_CAPABILITIES] : PLAIN;
  const kept = names
    .filter((name) => isObject(capabilities[name]))
    .map((name) => [name, capabilities[name]] as const);
  return Object.fromEntries(
    kept.map(([name, value]) => [name, name === "extensions" ? withoutTasks(value) : value]),
  );
}

function withoutTasks(extensions: unknown): unknown {
  const { [TASKS_EXTENSION]: _tasks, ...others } = extensions as Record<string, unknown>;
  return others;
}

/** The same choice as {@link keptCapabilities}, in the client's own text. */
export function keptCapabilitiesText(capabilities: string, input: boolean): string {
  const kept = keptCapabilities(JSON.parse(capabilities), input);
  const texts = Object.keys(kept).map((name) => `"${name}":${memberText(capabilities, name)}`);
  return editMember(`{${texts.join(",")}}`, "extensions", (text) => deleteMember(text, TASKS_EXTENSION));
}

/** Of a modern client's own envelope: all stays but what cannot be honoured. Source: 2026-07-28/basic, `_meta`. */
export function restrictedCapabilitiesText(capabilities: string, input: boolean): string {
  const refused = input ? [] : INPUT_CAPABILITIES;
  const rest = refused.reduce<string>((text, name) => deleteMember(text, name), capabilities);
  return editObject(rest, "extensions", (extensions) => deleteMember(extensions, TASKS_EXTENSION));
}

/** What a server advertises, and a stateless connection cannot carry. */
export interface Advertised {
  /** Whether changes can be told to the client, by `subscriptions/listen`. */
  readonly changes: boolean;
}

/** A server's capabilities, as InitializeResult and DiscoverResult carry them, without what outlives one request. */
export function advertisedText(capabilities: string, { changes }: Advertised): string {
  if (!isObjectText(capabilities)) return capabilities;
  const lists = changes
    ? capabilities
    : ["tools", "prompts", "resources"].reduce(withoutChanges, capabilities);
  const rest = deleteMember(lists, "tasks");
  return editObject(rest, "extensions", (extensions) => deleteMember(extensions, TASKS_EXTENSION));
}

function withoutChanges(capabilities: string, name: string): string {
  return editObject(capabilities, name, (list) =>
    deleteMember(deleteMember(list, "listChanged"), "subscribe"),
  );
}

/** A member passed through `edit` if it is an object; anything else stays as it is. */
export function editObject(text: string, key: string, edit: (value: string) => string): string {
  return editMember(text, key, (value) => (isObjectText(value) ? edit(value) : value));
}

/** The text of a member of `_meta`. */
export function metaText(text: string, key: string): string | undefined {
  const meta = memberText(text, "_meta");
  return isObjectText(meta) ? memberText(meta, key) : undefined;
}

/** `_meta` of the object with one more member; whatever else stands in the place of `_meta` gives way. */
export function setMeta(text: string, key: (typeof META)[keyof typeof META], value: string): string {
  const meta = memberText(text, "_meta");
  const object = isObjectText(meta) ? meta : "{}";
  return setMember(text, "_meta", setMember(object, key, value));
}

/** `_meta` of the object without some members; an empty `_meta` goes too. */
export function deleteMeta(text: string, keys: readonly string[]): string {
  const edited = editObject(text, "_meta", (meta) => keys.reduce(deleteMember, meta));
  const meta = memberText(edited, "_meta");
  const isEmptied = edited !== text && isObjectText(meta) && members(meta).length === 0;
  return isEmptied ? deleteMember(edited, "_meta") : edited;
}
