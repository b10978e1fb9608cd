import { sha256 } from "../digest.ts";
import { deleteMeta } from "../eras/capabilities.ts";
import { MULTI_ROUND_TRIP } from "../eras/names.ts";
import { MayflyError, errorText } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { isObject, paramsText } from "../jsonrpc.ts";
import type { Message, RequestValue } from "../jsonrpc.ts";
import { compact, deleteMember, memberText, setMember } from "../rawjson.ts";

/** A request of a legacy server to its client. */
export interface Question {
  readonly message: Message<RequestValue>;
  /** The same for the same question, whichever process asks it. */
  readonly digest: string;
}

/** Questions that one process may have open: more than any user would answer. */
export const MAX_OPEN = 16;

const CAPABILITIES: Readonly<Record<string, string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots",
};

/** Whether requests of this method may be interrupted by questions. Source: 2026-07-28/basic/patterns/mrtr. */
export function mayBeAsked(method: string): boolean {
  return MULTI_ROUND_TRIP.has(method);
}

/** Why a server may not ask: the client has not declared that it can answer. */
export interface Refusal {
  /** The answer to the server. */
  readonly refusal: string;
  /** The same, for the log. */
  readonly reason: string;
  /** The capability, as the client would declare it; undefined if the client is not what is missing. */
  readonly missing?: Readonly<Record<string, unknown>> | undefined;
}

/** The question, or why the server may not ask it. */
export function questionOf(
  message: Message<RequestValue>,
  capabilities: Readonly<Record<string, unknown>>,
): Question | Refusal {
  const { method, params = {} } = message.value;
  const name = Object.hasOwn(CAPABILITIES, method) ? CAPABILITIES[method] : undefined;
  if (name === undefined) return refusedAs(message, "CLIENT_OUT_OF_REACH");
  const capability = capabilities[name];
  if (!isObject(capability)) {
    return { ...refusedAs(message, "CAPABILITY_NOT_DECLARED", name), missing: { [name]: {} } };
  }
  const part = missingPart(method, params, capability);
  if (part === undefined) return { message, digest: digestOf(message) };
  const refusal = refusedAs(message, "QUESTION_NOT_SUPPORTED", `${name}.${part}`);
  return { ...refusal, missing: { [name]: { [part]: {} } } };
}

/** The refusal of a question. */
export function refusedAs({ text }: Message<RequestValue>, code: ErrorCode, missing = ""): Refusal {
  const error = new MayflyError(code, { values: { missing } });
  return { refusal: errorText(error, memberText(text, "id")), reason: error.message };
}

/** Source: 2025-11-25/client/elicitation, Capabilities (an empty one means form); client/sampling, Capabilities. */
function missingPart(
  method: string,
  { mode = "form", tools, toolChoice }: Readonly<Record<string, unknown>>,
  capability: Record<string, unknown>,
): string | undefined {
  if (method === "elicitation/create") {
    const modes: Record<string, unknown> = Object.keys(capability).length === 0 ? { form: {} } : capability;
    const name = typeof mode === "string" ? mode : "form";
    return name === mode && Object.hasOwn(modes, name) && isObject(modes[name]) ? undefined : name;
  }
  const wantsTools = method === "sampling/createMessage" && (tools !== undefined || toolChoice !== undefined);
  return wantsTools && !isObject(capability["tools"]) ? "tools" : undefined;
}

/** `elicitationId` is new in every run. */
function digestOf({ text, value }: Message<RequestValue>): string {
  const params = deleteMember(deleteMember(paramsText(text), "_meta"), "elicitationId");
  return sha256(JSON.stringify(value.method) + compact(params));
}

/**
 * The question as a modern server would ask it, in the result of the client's request.
 * Source: 2026-07-28/basic/patterns/mrtr, InputRequests; changelog, Minor changes 11 (no elicitationId).
 */
export function inputRequestText({ message: { text, value } }: Question): string {
  const params = deleteMember(deleteMeta(paramsText(text), ["progressToken"]), "elicitationId");
  const isElicitation = value.method === "elicitation/create";
  const whole =
    isElicitation && value.params?.["mode"] === undefined ? setMember(params, "mode", '"form"') : params;
  const hasParams = isElicitation || memberText(text, "params") !== undefined;
  return `{"method":${JSON.stringify(value.method)}${hasParams ? `,"params":${whole}` : ""}}`;
}
