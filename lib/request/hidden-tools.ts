import type { Message, RequestValue } from "../jsonrpc.ts";
import { shortened } from "../logger.ts";
import type { Logger } from "../logger.ts";
import type { Server } from "../servers.ts";
import type { Incoming } from "./classify.ts";

/**
 * What is left of a POST without its calls of hidden tools, which are answered here: before anything is started, and
 * before anything is checked by what the server says of such a tool.
 */
export function refuseHidden(
  incoming: Incoming,
  { name: server, filter }: Pick<Server, "name" | "filter">,
  logger: Logger,
): Incoming {
  const refusals = incoming.requests.map((request) => filter.refusal(request));
  const answers = refusals.filter((answer) => answer !== undefined);
  if (answers.length === 0) return incoming;
  const isHidden = (_: unknown, index: number): boolean => refusals[index] !== undefined;
  const tool = incoming.requests.filter(isHidden).map(toolOf).join(", ");
  logger.info({ server, tool, code: "TOOL_NOT_KNOWN" }, "refused");
  const requests = incoming.requests.filter((_, index) => refusals[index] === undefined);
  return { ...incoming, requests, answers: [...incoming.answers, ...answers] };
}

function toolOf({ value }: Message<RequestValue>): string {
  const name = value.params?.["name"];
  return typeof name === "string" ? shortened(name) : "(none)";
}
