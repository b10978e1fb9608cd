import { isObject } from "../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import type { Member } from "./state.ts";

/** Which client was sent to which page: only that one may hear that it is done. Source: 2025-11-25/client/elicitation. */

/** The error of a request that needs a visit of its user's first. */
const URL_ELICITATION_REQUIRED = -32042;
/** Visits of one client that are kept in mind: more than its user has open. */
const MAX_KEPT = 100;

/** A question of the server on its way to a client. */
export function noteElicitation({ value }: Message<RequestValue>, member: Member): void {
  if (value.method === "elicitation/create") keep(value.params, member);
}

/** An answer of the server on its way to a client. */
export function noteRequiredElicitations({ value }: Message<ResponseValue>, member: Member): void {
  const error = isObject(value.error) ? value.error : {};
  const data = isObject(error["data"]) ? error["data"] : {};
  const elicitations: unknown = data["elicitations"];
  if (error["code"] !== URL_ELICITATION_REQUIRED || !Array.isArray(elicitations)) return;
  for (const elicitation of elicitations.slice(0, MAX_KEPT)) keep(elicitation, member);
}

/** Who hears that an elicitation is complete. */
export function elicitedBy(id: unknown, members: Iterable<Member>): Member[] {
  return [...members].filter(({ elicitations }) => typeof id === "string" && elicitations.has(id));
}

function keep(about: unknown, { elicitations }: Member): void {
  const id = isObject(about) ? about["elicitationId"] : undefined;
  if (typeof id !== "string") return;
  elicitations.add(id);
  const [oldest] = elicitations;
  if (elicitations.size > MAX_KEPT && oldest !== undefined) elicitations.delete(oldest);
}
