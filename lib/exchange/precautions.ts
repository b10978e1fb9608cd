import type { Answer } from "./conversation.ts";
import { INPUT_CAPABILITIES } from "../eras/names.ts";
import { modernRequestText, requestText } from "../eras/request-down.ts";
import { handshakeFor } from "./cells.ts";
import { MayflyError } from "../errors.ts";
import { checkToolHeaders, hasParameterHeaders } from "../request/header-parameters.ts";
import { isObject } from "../jsonrpc.ts";
import type { Message, RequestValue, ResponseValue } from "../jsonrpc.ts";
import { mayBeAsked } from "../input/questions.ts";
import type { KnownTool } from "./tool-memory.ts";
import { openedOf } from "./turns.ts";
import type { Exchange } from "./turns.ts";

/** What must be known before a request goes down, or its answer up, and may have to be asked first. */

/**
 * A legacy server has never given a state to anybody: what comes back as its state is not from here.
 * @throws STATE_NOT_VALID
 */
export function refuseForeignState(all: Exchange): void {
  const { client, requests, input } = all.order;
  if (client.era === "legacy" || openedOf(all).era === "modern") return;
  const isOurs = input.kind === "rerun" && !input.rerun.foreign;
  const carriesState = requests.some(
    ({ value }) => mayBeAsked(value.method) && value.params?.["requestState"] !== undefined,
  );
  if (carriesState && !isOurs) throw new MayflyError("STATE_NOT_VALID");
}

/** Whether the work of a tool that the server does not call repeatable would be done again with every answer. */
export async function mustNotRepeat(all: Exchange): Promise<boolean> {
  const { input, server, client, requests } = all.order;
  const [request] = requests;
  if (input.kind !== "rerun" || input.rerun.continued || server.rerun === "always") return false;
  if (openedOf(all).era === "modern" || request?.value.method !== "tools/call") return false;
  if (!INPUT_CAPABILITIES.some((name) => client.handshake.capabilities[name] !== undefined)) return false;
  return (await toolOf(request, all))?.repeatable !== true;
}

/**
 * Compares the headers that repeat arguments, once the tool's schema is known.
 * Source: 2026-07-28/basic/transports/streamable-http, Server Behavior for Custom Headers.
 * @throws HEADER_MISMATCH
 */
export async function checkParameters(all: Exchange): Promise<void> {
  const { client, headers, paramHeaders, requests, server } = all.order;
  const [request] = requests;
  if (client.era === "legacy" || request?.value.method !== "tools/call" || paramHeaders === "off") return;
  const isKnown = server.tools.find(request.value.params?.["name"]) !== undefined;
  const isNeeded = isKnown || paramHeaders === "always" || hasParameterHeaders(headers);
  const tool = isNeeded ? await toolOf(request, all) : undefined;
  if (tool) checkToolHeaders(headers, tool.headers, request);
}

/** Whether a legacy client knows the called tool by an output schema that was wrapped for it. */
export async function isWrapped(
  request: Message<RequestValue>,
  answer: ResponseValue,
  all: Exchange,
): Promise<boolean> {
  const isOldNew = all.order.client.era === "legacy" && openedOf(all).era === "modern";
  if (!isOldNew || request.value.method !== "tools/call") return false;
  const { result } = answer;
  // Any other structured content is no object, and shows by itself that the schema was wrapped.
  if (!isObject(result) || !isObject(result["structuredContent"])) return false;
  try {
    return (await toolOf(request, all))?.wrapped === true;
  } catch (error) {
    // The work is done and its result is here: a server that has gone meanwhile changes nothing about that.
    all.logger.debug({ err: error, server: all.order.server.name }, "The tools could not be listed");
    return false;
  }
}

/** Pages of tools that are read to find one. */
const MAX_PAGES = 100;

/** What the server says about the tool that is called: remembered, or asked for now. */
async function toolOf(request: Message<RequestValue>, all: Exchange): Promise<KnownTool | undefined> {
  const { tools } = all.order.server;
  const name = request.value.params?.["name"];
  let cursor: unknown;
  for (let page = 0; page < MAX_PAGES && !tools.find(name); page += 1) {
    const { result } = await listTools(all, cursor);
    tools.learn(result);
    cursor = isObject(result) ? result["nextCursor"] : undefined;
    if (typeof cursor !== "string") break;
  }
  return tools.find(name);
}

async function listTools(all: Exchange, cursor: unknown): Promise<Answer> {
  const { conversation, era } = openedOf(all);
  const params = JSON.stringify({ cursor });
  const textFor = (id: string): string =>
    era === "modern"
      ? modernRequestText(id, "tools/list", params, handshakeFor(all.order))
      : requestText(id, "tools/list", params);
  // Other requests of a batch may be answered meanwhile.
  return conversation.ask("tools/list", textFor, true);
}
