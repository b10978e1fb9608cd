import { envelopeOf } from "../../eras/envelope.ts";
import { modernRequestText } from "../../eras/request-down.ts";
import type { Introduction } from "../../eras/request-down.ts";
import { ownId } from "../../exchange/conversation.ts";
import { toMayflyError } from "../../errors.ts";
import { isObject, isResponse, messageOf } from "../../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../../jsonrpc.ts";
import { printable } from "../../logger.ts";
import type { Logger } from "../../logger.ts";
import { editElements, editMember } from "../../rawjson.ts";
import { breaksHeaderRules } from "../../request/header-parameters.ts";
import { MAYFLY } from "../../version.ts";

/** Lists of tools, and what a client of streamable HTTP does with them. */

/** Pages of a list that are read for one request. */
const MAX_PAGES = 100;

/**
 * Lists all tools in the name of a client, for whoever reads along. Never throws: without them the request stays
 * refused, and the refusal says why.
 * @param request of the client, which says who it is
 * @param send gives what comes of a request
 */
export async function learnTools(
  request: Message<RequestValue>,
  send: (request: Message<RequestValue>) => AsyncGenerator<Message, void, void>,
  logger: Logger,
): Promise<void> {
  const envelope = envelopeOf(request.value);
  if (typeof envelope === "string") return;
  const { clientInfo = MAYFLY, capabilities } = envelope;
  try {
    let cursor: unknown;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      cursor = await nextCursor(send(listing({ clientInfo, capabilities }, cursor)));
      if (typeof cursor !== "string") return;
    }
  } catch (error) {
    logger.warn({ reason: toMayflyError(error).message }, "The tools of the remote could not be listed");
  }
}

function listing(client: Introduction, cursor: unknown): Message<RequestValue> {
  const params = typeof cursor === "string" ? JSON.stringify({ cursor }) : "{}";
  return messageOf(modernRequestText(ownId(), "tools/list", params, client));
}

async function nextCursor(answers: AsyncGenerator<Message, void, void>): Promise<unknown> {
  for await (const message of answers) {
    if (!isResponse(message)) continue;
    const { result } = message.value;
    return isObject(result) ? result["nextCursor"] : undefined;
  }
  return undefined;
}

/**
 * A list without the tools whose schemas ask for headers against the rules: a client of streamable HTTP must leave
 * them out, and the client behind stdio is none. Source: 2026-07-28/basic/transports/streamable-http, Schema Extension.
 */
export function withoutFlawedTools(message: Message<ResponseValue>, logger: Logger): Message<ResponseValue> {
  const { result } = message.value;
  const tools: unknown = isObject(result) ? result["tools"] : undefined;
  if (!Array.isArray(tools) || !tools.some(isFlawed)) return message;
  for (const { name } of tools.filter(isFlawed)) {
    logger.warn(
      { tool: printable(String(name)) },
      "A tool is left out: its schema asks for headers against the rules",
    );
  }
  const kept = (element: string): string | undefined => (isFlawed(JSON.parse(element)) ? undefined : element);
  const text = editMember(message.text, "result", (raw) =>
    editMember(raw, "tools", (list) => editElements(list, kept)),
  );
  return messageOf(text);
}

function isFlawed(tool: unknown): tool is Record<string, unknown> {
  return isObject(tool) && breaksHeaderRules(tool["inputSchema"]);
}
