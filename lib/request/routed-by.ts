import { hasVersion } from "../eras/envelope.ts";
import { META } from "../eras/names.ts";
import { isObject } from "../jsonrpc.ts";
import type { MessageValue } from "../jsonrpc.ts";

type Values = Readonly<Record<string, unknown>>;

const PARAMS = [
  ...["name", "uri", "taskId", "level", "requestState"],
  ...["requestId", "progressToken", "reason", "protocolVersion"],
];
/** Looked into, and limited where they are. */
const OPENED = ["notifications"];
const OPENED_OF_INITIALIZE = ["clientInfo", "capabilities"];
const ENVELOPE = Object.values(META);

/**
 * What of a message of a client is looked at. The text is what travels: arguments, parsed, take ten times its room, and
 * would for as long as the request runs.
 */
export function routedBy(value: MessageValue): MessageValue {
  if (!("method" in value)) return value;
  const { method, params } = value;
  const head = "id" in value ? { id: value.id, method } : { method };
  if (params === undefined) return head;
  const opened = method === "initialize" ? OPENED_OF_INITIALIZE : OPENED;
  const { _meta: meta } = params;
  const said = isObject(meta) && { _meta: metaOf(meta, hasVersion(value)) };
  return { ...head, params: { ...closed(params, PARAMS), ...picked(params, opened), ...said } };
}

function metaOf(meta: Values, isEnvelope: boolean): Values {
  return { ...closed(meta, ["progressToken"]), ...(isEnvelope && picked(meta, ENVELOPE)) };
}

function picked(values: Values, keys: readonly string[]): Values {
  return Object.fromEntries(
    keys.filter((key) => Object.hasOwn(values, key)).map((key) => [key, values[key]]),
  );
}

/** The same, of objects and arrays no more than that they are none of what is expected there. */
function closed(values: Values, keys: readonly string[]): Values {
  const entries = Object.entries(picked(values, keys));
  return Object.fromEntries(entries.map(([key, value]) => [key, Object(value) === value ? {} : value]));
}
