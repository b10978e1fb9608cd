import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";

/** Of arguments, nothing but the name of the tool, prompt or resource that they are for goes into the log. */
export function namesOf(requests: readonly Message<RequestValue>[]): { method: string; tool?: string } {
  const method = requests.map(({ value }) => shortened(value.method)).join(", ");
  const tools = requests
    .map(({ value }) => value.params?.["name"])
    .filter((name) => typeof name === "string");
  return tools.length === 0 ? { method } : { method, tool: tools.map(shortened).join(", ") };
}
